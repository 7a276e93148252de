"""The process that measures one engine: it answers every line of input with a line of JSON.

It is started by `keras_osnet.runtime.benchmark`, with its task as JSON in the argument.
"""

import time

_STARTED = time.perf_counter()

import json  # noqa: E402 - the clock starts first
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from keras_osnet.runtime.benchmark import BATCH  # noqa: E402
from keras_osnet.runtime.embedder import Embedder  # noqa: E402

_SECONDS = 0.3
"""Shortest duration of one turn, for one image and for many."""

_LEAST = 3


def main() -> None:
    """Load the model, and measure once for every line of input."""
    try:
        embedder = Embedder(**_task(sys.argv[1]))
        images = np.random.default_rng(0).integers(
            0, 256, (BATCH, *embedder.image_size, 3), np.uint8
        )
        embedder.embed(images[:1])
        cold_start = time.perf_counter() - _STARTED
        _answer({"cold_start": cold_start, "quantization": embedder.metadata.quantization})
        embedder.embed(images)  # the first of that size may set up memory
        for _ in sys.stdin:
            alone = _times(embedder, images[:1])
            together = _times(embedder, images)
            _answer({"alone": alone, "together": together, "peak_memory": peak_memory()})
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        _answer({"error": str(error), "kind": type(error).__name__})


def peak_memory() -> float | None:
    """Return the peak memory of this process so far, in MB of 10^6 bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count the process that started this one, too.
        lines = status.read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line[:6] == "VmHWM:")
    try:
        import resource
    except ImportError:  # on Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


def _task(text: str) -> dict[str, Any]:
    task = json.loads(text)
    return {**task, "image_size": task["image_size"] and tuple(task["image_size"])}


def _times(embedder: Embedder, images: np.ndarray) -> list[float]:
    """Return the seconds of each of several calls, after one that wakes the threads."""
    embedder.embed(images)
    times: list[float] = []
    while len(times) < _LEAST or sum(times) < _SECONDS:
        start = time.perf_counter()
        embedder.embed(images)
        times.append(time.perf_counter() - start)
    return times


def _answer(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
