"""The tables of single measurements: the head's training, and growth."""

from tests.benchmarks.contender import Contender
from tests.benchmarks.report import print_rows, shown, spread
from tests.benchmarks.turns import Failed, once, take_turns

MEGA = 1 << 20


def head(setting):
    """Seconds that the head's training takes."""
    title = "head: train_head, 2,936 + 367 photos of 2,048 features, 5 classes, default options"
    print(f"\n{title}")
    contender = Contender("train_head", "head:train", {})
    found, left_out = take_turns([contender], 1 if setting.quick else 3, setting.folder)
    rows = [
        {"name": m.name, **m.facts, "seconds": spread([a["seconds"] for a in m.answers]),
         "rounds": m.answers}
        for m in found
    ]  # fmt: skip
    lines = [[row["name"], row["steps"], *shown(row["seconds"], 2)] for row in rows]
    print_rows(["", "steps", "seconds", "min..max"], lines)
    return {"title": title, "rows": rows, "left_out": left_out}


def growth(setting):
    """Time, memory and disk against the number of photos."""
    title = "growth: AlexNet (random) to pool1; resident memory at the 500th photo and at the end"
    print(f"\n{title}")
    counts = (50, 200, 600) if setting.quick else (500, 2000, 8000)
    photos = setting.drawn(counts[-1])
    rows, left_out = [], {}
    jobs = [("features", "growth:add", {"photos": photos, "count": n}) for n in counts]
    ends = (counts[0], counts[-1])
    jobs += [("predict", "growth:predict", {"photos": photos, "count": n}) for n in ends]
    entries = 10_000 if setting.quick else 1_000_000
    jobs.append(("opening a store", "growth:open_store", {"rows": entries}))
    for name, start, options in jobs:
        try:
            answer = once(Contender(name, start, options), setting.folder)
            rows.append({"name": name, **answer})
        except Failed as reason:
            left_out[f"{name} {options}"] = str(reason)
            print(f"  {name} {options} left out: {reason}")
    _print_growth(rows)
    return {"title": title, "rows": rows, "left_out": left_out}


def _print_growth(rows):
    lines = [
        [
            row["name"], row["photos"], f"{1e3 * row['seconds'] / row['photos']:.2f}",
            f"{row['early'] / MEGA:.0f}" if "early" in row else "-", f"{row['end'] / MEGA:.0f}",
            row.get("store_bytes", "-"), row.get("feature_bytes", "-"),
        ]
        for row in rows if "photos" in row
    ]  # fmt: skip
    header = ["", "photos", "ms/photo", "MiB at 500", "MiB at end", "store bytes", "features"]
    print_rows(header, lines)
    for row in rows:
        if "entries" in row:
            print(f"  {row['name']} of {row['entries']:,} entries: {row['seconds']:.3f} s")
