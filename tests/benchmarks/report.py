"""Medians, ratios round by round, and the printing of tables."""

import numpy as np

PEAK = "matmul peak"


def spread(values):
    """The median, least and largest of some values."""
    return {"median": float(np.median(values)), "min": min(values), "max": max(values)}


def shown(values, digits):
    """A spread as two cells: the median, and least..largest."""
    low, high = f"{values['min']:.{digits}f}", f"{values['max']:.{digits}f}"
    return [f"{values['median']:.{digits}f}", f"{low}..{high}"]


def print_rows(header, rows, say=print):
    """Columns as wide as they must be, the first to the left, the others to the right."""
    cells = [header, *rows]
    widths = [max(len(str(row[i])) for row in cells) for i in range(len(header))]
    for row in cells:
        first, *rest = (str(cell) for cell in row)
        padded = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        say("  " + "  ".join([first.ljust(widths[0]), *padded]).rstrip())


def speeds(measured):
    """Photos a second, round by round."""
    return [answer["photos"] / answer["seconds"] for answer in measured.answers]


def rows_of(found, reference):
    """A row per contender, as the JSON file has it."""
    base = next((m for m in found if m.name == reference), None)
    rows = []
    for measured in found:
        row = {"name": measured.name, **measured.facts, "rounds": measured.answers}
        if not measured.name.startswith(PEAK):
            row["photos_per_second"] = spread(speeds(measured))
            row |= _compared(measured, base)
            row |= _share_of_peak(measured, found)
        else:
            row["gflops_per_second"] = spread(
                [answer["flops_per_second"] / 1e9 for answer in measured.answers]
            )
        if measured.answers[0].get("utilisation") is not None:
            row["utilisation"] = spread([answer["utilisation"] for answer in measured.answers])
        if "setup" in measured.answers[0]:
            row["setup_seconds"] = spread([answer["setup"] for answer in measured.answers])
        rows.append(row)
    return rows


def _compared(measured, base):
    """How many times as fast the reference was in the same round; the features' difference."""
    if base is None:
        return {}
    pairs = zip(speeds(measured), speeds(base), strict=True)
    compared = {"reference_is": spread([other / one for one, other in pairs])}
    if measured.probe is not None and base.probe is not None:
        largest = np.abs(base.probe).max()
        compared["difference"] = float(np.abs(measured.probe - base.probe).max() / largest)
    return compared


def _share_of_peak(measured, found):
    """What part of the matrix products' rate of the same round the network's layers reach."""
    precision = measured.name.rpartition(" ")[2]
    peak = next((m for m in found if m.name == f"{PEAK} {precision}"), None)
    if "flops" not in measured.facts or peak is None:
        return {}
    pairs = zip(speeds(measured), peak.answers, strict=True)
    flops = measured.facts["flops"]
    return {"share_of_peak": spread([flops * s / p["flops_per_second"] for s, p in pairs])}


def print_contenders(rows, reference, say=print):
    """The table of contenders, and below it what the rows say besides."""
    header = ["", "photos/s", "min..max", f"{reference} is x", "min..max", "difference"]
    lines = []
    for row in rows:
        if "photos_per_second" in row:
            ratio = row.get("reference_is")
            lines.append([
                row["name"],
                *shown(row["photos_per_second"], 1),
                *(shown(ratio, 3) if ratio else ["", ""]),
                f"{row['difference']:.1e}" if "difference" in row else "-",
            ])  # fmt: skip
    print_rows(header, lines, say)
    for row in rows:
        say_besides(row, say)


def say_besides(row, say=print):
    """The facts of a row that have no column."""
    name = row["name"]
    if "gflops_per_second" in row:
        rate, least_to_most = shown(row["gflops_per_second"], 0)
        say(f"  {name}: {rate} GFLOP/s ({least_to_most})")
    if "share_of_peak" in row:
        share, work = row["share_of_peak"]["median"], row["flops"] / 1e9
        say(f"  {name}: {work:.2f} GFLOP a photo, {share:.0%} of the {PEAK}")
    if "utilisation" in row:
        say(f"  {name}: the GPU works {row['utilisation']['median']:.0f} % of the time")
    if "setup_seconds" in row:
        say(f"  {name}: set-up {row['setup_seconds']['median']:.2f} s a round, not counted above")
    if "kept" in row:
        say(f"  {name}: {row['kept']} was its faster way")
