"""Measure the speed and memory of exported files in every installed engine."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from keras_osnet._utils.checks import check_whole
from keras_osnet.runtime.embedder import Embedder
from keras_osnet.runtime.engines import computes_bfloat16, engines_for, usable_cpus
from keras_osnet.runtime.read_metadata import ModelFileError, checked_file

_BATCH = 32
"""Images at once where the throughput is measured."""

_SECONDS = 0.3
"""Shortest duration of one turn, for one image and for many."""

_FEWEST_CALLS = 3

_WORKER = "keras_osnet.runtime.benchmark"
"""Module that is run in the processes: this one."""


@dataclass(frozen=True)
class Quartiles:
    """Median and quartiles of repeated measurements.

    Attributes:
        median: In the unit of the field that holds it.
        low: First quartile.
        high: Third quartile.
        repetitions: Number of measurements.
    """

    median: float
    low: float
    high: float
    repetitions: int


@dataclass(frozen=True)
class BenchmarkResult:
    """Speed and memory of one file in one engine, including resizing and normalization.

    Attributes:
        file: The file.
        engine: The engine.
        device: The device that the engine computed on, such as "cpu" or "cuda:0".
        precision: Precision of the computation where the file leaves it open, "float32" or
            "bfloat16".
        quantization: Type of the weights in the file: None (float32), "float16", "dynamic" (int8
            weights) or "int8" (which is also computed in).
        threads: Number of threads.
        cold_start: Seconds from the start of a Python process to its first embedding: imports,
            loading, computing.
        latency: Milliseconds for one image.
        throughput: Images per second, 32 at once.
        peak_memory: Peak memory of the process in MB of 10^6 bytes, including Python, NumPy,
            Pillow and the images; None on Windows.
    """

    file: Path
    engine: str
    device: str
    precision: str
    quantization: str | None
    threads: int
    cold_start: float
    latency: Quartiles
    throughput: Quartiles
    peak_memory: float | None


def benchmark(
    files: Sequence[str | os.PathLike[str]],
    *,
    threads: int | None = None,
    device: str = "auto",
    rounds: int = 5,
    pixel_range: str | None = None,
    image_size: tuple[int, int] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[BenchmarkResult]:
    """Measure models in every installed engine that takes their files.

    Every engine runs in its own process, in which nothing else is loaded. The processes take
    turns, round by round, so that other load on the machine affects all of them alike. OpenVINO
    is also measured in bfloat16 where the processor supports it.

    Args:
        files: `.tflite`, `.onnx` or `.xml` files, as `Embedder` takes them.
        threads: Number of threads that an engine uses; by default, all processors.
        device: As for `Embedder`. Engines that do not compute on such a device are left out.
        rounds: Number of turns that each engine takes.
        pixel_range: Range of the input, "0-255", "0-1" or "normalized", of a file that was not
            written by keras-osnet.
        image_size: (height, width) of the images, for a model that takes any.
        progress: Called after every turn with the number of turns done so far; there are
            `count_turns(files, rounds, device)` in total.

    Returns:
        One `keras_osnet.runtime.benchmark.BenchmarkResult` for each file, engine and precision, in
        this order: `latency` (milliseconds for one image) and `throughput` (images per second, 32
        at once), each with `median`, `low`, `high` (quartiles) and `repetitions`; `cold_start` in
        seconds; `peak_memory` in MB; and `file`, `engine`, `device`, `precision`, `quantization`,
        `threads`.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: There are no files, `Embedder` refuses one of them or an argument, or `rounds`
            is not positive.
        ImportError: No engine that takes one of the files is installed, or Pillow is not.
    """
    check_whole(1, rounds=rounds)
    if not files:
        raise ValueError("`files` must name at least one model. Received: none")
    count = usable_cpus() if threads is None else threads
    arguments = {
        "threads": count,
        "device": device,
        "pixel_range": pixel_range,
        "image_size": image_size,
    }
    with ExitStack() as stack:
        workers = [
            stack.enter_context(_worker(file, engine, precision, arguments))
            for file, engine, precision in _candidates(files, device)
        ]
        turns: list[list[dict[str, Any]]] = [[] for _ in workers]
        done = 0
        for _ in range(rounds):
            for worker, answers in zip(workers, turns, strict=True):
                answers.append(worker.ask())
                done += 1
                if progress is not None:
                    progress(done)
        return [
            worker.result(count, answers) for worker, answers in zip(workers, turns, strict=True)
        ]


def count_turns(files: Sequence[str | os.PathLike[str]], rounds: int, device: str = "auto") -> int:
    """Return the number of times that `benchmark` calls its `progress`."""
    return rounds * len(_candidates(files, device))


def _candidates(
    files: Sequence[str | os.PathLike[str]], device: str
) -> list[tuple[Path, str, str]]:
    found = []
    for path in files:
        file = checked_file(path)
        engines = engines_for(file, device) or ["auto"]  # whose process says what is missing
        for engine in engines:
            found.append((file, engine, "float32"))
            on_cpu = device in ("auto", "cpu")
            if engine == "openvino" and on_cpu and computes_bfloat16():
                found.append((file, engine, "bfloat16"))
    return found


class _Worker:
    """A process with one engine and one file that measures on request."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        complaints: IO[str],
        candidate: tuple[Path, str, str],
        started: float,
    ) -> None:
        self._process = process
        self._complaints = complaints
        self._candidate = candidate
        self._begun = self._read()
        self._cold_start = time.perf_counter() - started

    def ask(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, which reading finds out
        return self._read()

    def result(self, threads: int, answers: Sequence[dict[str, Any]]) -> BenchmarkResult:
        file, engine, precision = self._candidate
        alone = [1e3 * seconds for answer in answers for seconds in answer["alone"]]
        together = [_BATCH / seconds for answer in answers for seconds in answer["together"]]
        return BenchmarkResult(
            file=file,
            engine=engine,
            device=self._begun["device"],
            precision=precision,
            quantization=self._begun["quantization"],
            threads=threads,
            cold_start=self._cold_start,
            latency=_quartiles(alone),
            throughput=_quartiles(together),
            peak_memory=answers[-1]["peak_memory"],
        )

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._complaints.seek(0)
            file, engine, _ = self._candidate
            raise ValueError(
                f"{engine} cannot be measured: its process ended with "
                f"{self._process.returncode}: {self._complaints.read()[-500:].strip()}. "
                f"Received: {file}"
            )
        answer = json.loads(line)
        if "error" in answer:
            kinds = (ImportError, FileNotFoundError, ModelFileError)
            kind = {each.__name__: each for each in kinds}.get(answer["kind"], ValueError)
            raise kind(answer["error"])
        return answer


@contextmanager
def _worker(
    file: Path, engine: str, precision: str, arguments: dict[str, Any]
) -> Iterator[_Worker]:
    task = {"path": str(file), "engine": engine, "precision": precision, **arguments}
    command = [sys.executable, "-m", _WORKER, json.dumps(task)]
    started = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        try:
            yield _Worker(process, complaints, (file, engine, precision), started)
        finally:
            process.kill()


def _quartiles(values: Sequence[float]) -> Quartiles:
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Quartiles(median=median, low=low, high=high, repetitions=len(values))


def _measure(text: str) -> None:
    """Load the model of a task in JSON, and measure once for every line of input.

    Each answer is a line of JSON. This runs in the process of one engine.
    """
    try:
        task = json.loads(text)
        size = task.pop("image_size")
        embedder = Embedder(**task, image_size=size and tuple(size))
        images = np.random.default_rng(0).integers(
            0, 256, (_BATCH, *embedder.image_size, 3), np.uint8
        )
        embedder.embed(images[:1])
        quantization = embedder.metadata.quantization
        _answer({"quantization": quantization, "device": embedder.device})
        embedder.embed(images)  # the first of that size may set up memory
        for _ in sys.stdin:
            alone = _times(embedder, images[:1])
            together = _times(embedder, images)
            _answer({"alone": alone, "together": together, "peak_memory": peak_memory()})
    except Exception as error:  # the other process raises it
        _answer({"error": str(error) or type(error).__name__, "kind": type(error).__name__})


def _times(embedder: Embedder, images: np.ndarray) -> list[float]:
    """Return the seconds of each of several calls, after one that wakes the threads."""
    embedder.embed(images)
    times: list[float] = []
    while len(times) < _FEWEST_CALLS or sum(times) < _SECONDS:
        start = time.perf_counter()
        embedder.embed(images)
        times.append(time.perf_counter() - start)
    return times


def _answer(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def peak_memory() -> float | None:
    """Return the peak memory of this process so far, in MB of 10^6 bytes; None on Windows."""
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


if __name__ == "__main__":
    _measure(sys.argv[1])
