"""`python -m tests.fuzz --guided SECONDS [READER...]`: mutations that atheris guides by coverage.

Each reader has a process of its own, which begins with its sound files and those of the first
seeds; only graphnets's modules are instrumented. atheris is no dependency of the tests.
"""

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BEGUN_WITH = 200  # damaged files of the blind fuzzing
LONGEST = 1 << 16  # bytes of a file
MISSING = "--guided wants atheris, which is not here: pip install atheris"
# Read in a child, of which nothing is seen here; several files at once, as JSON.
OTHERS = ("graphs", "savedmodel", "bombs", "store", "checkpoints")


def missing():
    """Why nothing can be guided; "" if it can."""
    return "" if importlib.util.find_spec("atheris") else MISSING


def command(name, seconds, corpus, artifacts):
    """What fuzzes one reader for as long."""
    return [
        sys.executable, "-m", "tests.fuzz.guided", name, f"-max_total_time={seconds}",
        f"-max_len={LONGEST}", "-timeout=60", "-rss_limit_mb=8192", "-verbosity=1",
        "-print_final_stats=1", f"-artifact_prefix={artifacts}/", str(corpus),
    ]  # fmt: skip


def run(name, reader, seconds, kept):
    """(files read, places of graphnets's code reached, what is wrong or "") of one reader.

    kept: the folder for files that are at fault.
    """
    with tempfile.TemporaryDirectory() as corpus:
        for number in range(BEGUN_WITH):
            [data] = reader.cases(number, 1)
            Path(corpus, str(number)).write_bytes(data)
        kept.mkdir(parents=True, exist_ok=True)
        line = command(name, seconds, corpus, kept)
        done = subprocess.run(line, capture_output=True, text=True, errors="replace", check=False)
    return outcome(done.returncode, done.stdout + done.stderr)


def outcome(status, said):
    """(files read, places reached, what is wrong or "") out of what libFuzzer says."""
    counts = [int(found) for found in re.findall(r"number_of_executed_units: (\d+)", said)]
    places = [int(found) for found in re.findall(r"cov: (\d+)", said)]
    faults = re.findall(r"^fault: (.*)$", said, re.MULTILINE)
    files = re.findall(r"Test unit written to (\S+)", said)
    wrong = " ".join([*faults, *files]) or (f"it ends with {status}" if status else "")
    return (counts or [0])[-1], (places or [0])[-1], wrong


def main(name, *options):
    """In the process of one reader: fuzz it until it fails, or its time is up."""
    import atheris

    with atheris.instrument_imports(include=["graphnets"]):
        from tests.fuzz.__main__ import readers

        reader = readers()[name]
        [data] = reader.cases(0, 1)
    from tests.fuzz.judge import verdict

    verdict(reader, data)  # what is imported late is instrumented by then

    def once(data):
        found = verdict(reader, data)
        if found not in ("sound", "refused"):
            print(f"fault: {found}", file=sys.stderr, flush=True)
            raise AssertionError(found)

    atheris.Setup([sys.argv[0], *options], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
