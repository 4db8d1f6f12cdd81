"""What became slower than in results that were kept, by more than the runs' own spread."""

import json
from pathlib import Path

SAME = ("processor", "cores", "extensions")  # else the machine is what has changed


class Unfit(Exception):
    """Results that these cannot be compared with, with the reason."""


def read(path):
    """Results that an earlier run has written. Raises Unfit."""
    try:
        found = json.loads(Path(path).read_text())
        found["machine"], found["tables"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unfit(f"{path} cannot be read as results ({error!r}); wanted an --output") from None
    return found


def check(old, machine, quick):
    """Raise Unfit unless old results are of such a machine and of such runs."""
    for name in SAME:
        if old["machine"].get(name) != machine[name]:
            raise Unfit(
                f"the old results are of {name} {old['machine'].get(name)}, these of "
                f"{machine[name]}; compare those of one machine"
            )
    if old.get("quick", False) != quick:
        raise Unfit("of old and new results one is --quick; compare those of one kind")


def slower(old, new):
    """[(table, name, figure, old spread, new spread)] of what is slower in all rounds.

    A figure is slower where the best of the new rounds is worse than the worst of the old ones.
    Where both have a share of the machine's peak, measured in the same rounds, it counts in the
    photos' place, as it does not depend on how busy the machine was.
    """
    found = []
    for table, now in new["tables"].items():
        before = {row["name"]: row for row in old["tables"].get(table, {}).get("rows", ())}
        for row in now.get("rows", ()):
            was = before.get(row["name"], {})
            for figure, sign in (("share_of_peak", 1), ("photos_per_second", 1), ("seconds", -1)):
                if isinstance(row.get(figure), dict) and isinstance(was.get(figure), dict):
                    best = sign * row[figure]["max" if sign > 0 else "min"]
                    worst = sign * was[figure]["min" if sign > 0 else "max"]
                    if best < worst:
                        found.append((table, row["name"], figure, was[figure], row[figure]))
                    break
    return found


def tell(old, new, say=print):
    """Print what became slower; how much of it there is."""
    found = slower(old, new)
    say(f"\nslower than on {old['machine']['date'][:10]}, in all rounds: {len(found) or 'nothing'}")
    for table, name, figure, was, now in found:
        before, after = was["median"], now["median"]
        change = f"{before:.3g}, now {after:.3g} ({after / before:.2f})"
        say(f"  {table}, {name}: {figure} {change}")
    return len(found)
