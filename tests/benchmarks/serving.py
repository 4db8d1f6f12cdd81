"""200 requests at a time to a `graphnets serve`, in turns with `Classifier.predict`.

    python -m tests.benchmarks.serving OUTPUT_DIR PHOTOS [ROUNDS]

OUTPUT_DIR: of a `graphnets retrain`; PHOTOS: a folder, 200 of whose photos are sent, one a request.
Prints what is lost, latencies, photos and processor time a second, and the server's memory.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from pathlib import Path

import httpx

from graphnets.cli.terminal import quiet_tensorflow
from graphnets.photos.folders import photo_paths

AT_A_TIME = 200
TICKS = 100  # of processor time a second, in /proc/PID/stat


def used(pid: int) -> tuple[float, float]:
    """Seconds of processor time, and MB in memory, of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(fields[21])
    return (int(fields[11]) + int(fields[12])) / TICKS, pages * resource.getpagesize() / 1e6


async def burst(url: str, photos: list[tuple[str, bytes]]) -> list[tuple[float, str]]:
    """Of each photo the seconds until its answer, and its label ("" for none)."""
    limits = httpx.Limits(max_connections=AT_A_TIME)
    async with httpx.AsyncClient(timeout=120, limits=limits) as client:

        async def one(photo: tuple[str, bytes]) -> tuple[float, str]:
            begun = time.perf_counter()
            answer = await client.post(f"{url}predict", files={"photo": photo})
            label = answer.json()["predictions"][0]["label"] if answer.is_success else ""
            return time.perf_counter() - begun, label

        return await asyncio.gather(*map(one, photos))


def compare(classifier, url: str, pid: int, paths: list[str]) -> None:
    """One round of both."""
    begun, cpu = time.perf_counter(), time.process_time()
    expected = [prediction.top[0][0] for prediction in classifier.predict(paths)]
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(
        f"predict {len(paths) / seconds:.0f} photos/s, {1e3 * cpu / len(paths):.1f} ms of processor"
    )
    photos = [(Path(path).name, Path(path).read_bytes()) for path in paths]
    begun, (cpu, _) = time.perf_counter(), used(pid)
    answers = asyncio.run(burst(url, photos))
    seconds, (after, memory) = time.perf_counter() - begun, used(pid)
    wrong = sum(label != wanted for (_, label), wanted in zip(answers, expected, strict=True))
    taken = sorted(took for took, _ in answers)
    print(
        f"serve   {len(paths) / seconds:.0f} photos/s, {1e3 * (after - cpu) / len(paths):.1f} ms, "
        f"lost or wrong {wrong}, p50 {taken[len(taken) // 2]:.2f} s, "
        f"p99 {taken[int(0.99 * len(taken)) - 1]:.2f} s, {memory:.0f} MB",
        flush=True,
    )


def main(output_dir: str, folder: str, rounds: str = "5") -> None:
    """Start the server, and compare."""
    with quiet_tensorflow():
        from graphnets.classifier.predict import Classifier

    found = list(photo_paths([folder]))
    paths = found[:: max(1, len(found) // AT_A_TIME)][:AT_A_TIME]
    graph, labels = (f"{output_dir}/output_{name}" for name in ("graph.pb", "labels.txt"))
    classifier = Classifier(graph, labels)
    list(classifier.predict(paths[:32]))
    command = [sys.executable, "-m", "graphnets", "serve", output_dir, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().split()[0]
        try:
            for _ in range(int(rounds)):
                compare(classifier, url, server.pid, paths)
        finally:
            server.terminate()


if __name__ == "__main__":
    main(*sys.argv[1:])
