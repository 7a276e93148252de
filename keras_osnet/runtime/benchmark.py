"""Measure the speed and memory of exported files in every installed engine."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from keras_osnet._utils.checks import check_whole
from keras_osnet.runtime.engines import engines_for, usable_cpus
from keras_osnet.runtime.engines.open_vino import computes_bfloat16
from keras_osnet.runtime.read_metadata import checked_file

BATCH = 32
"""Images at once where the throughput is measured."""

_WORKER = "keras_osnet.runtime._benchmark_worker"


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
        rounds: Number of turns that each engine takes.
        pixel_range: Range of the input, "0-255", "0-1" or "normalized", of a file that was not
            written by keras-osnet.
        image_size: (height, width) of the images, for a model that takes any.
        progress: Called after every turn with the number of turns done so far; there are
            `count_turns(files, rounds)` in total.

    Returns:
        One result for each file, engine and precision, in this order.

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
    arguments = {"threads": count, "pixel_range": pixel_range, "image_size": image_size}
    with ExitStack() as stack:
        workers = [
            stack.enter_context(_worker(file, engine, precision, arguments))
            for file, engine, precision in _candidates(files)
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


def count_turns(files: Sequence[str | os.PathLike[str]], rounds: int) -> int:
    """Return the number of times that `benchmark` calls its `progress`."""
    return rounds * len(_candidates(files))


def _candidates(files: Sequence[str | os.PathLike[str]]) -> list[tuple[Path, str, str]]:
    found = []
    for path in files:
        file = checked_file(path)
        engines = engines_for(file)
        if not engines:
            raise ImportError(
                f"No engine that takes {file.suffix} files is installed. Received: {file}"
            )
        for engine in engines:
            found.append((file, engine, "float32"))
            if engine == "openvino" and computes_bfloat16():
                found.append((file, engine, "bfloat16"))
    return found


class _Worker:
    """A process with one engine and one file that measures on request."""

    def __init__(
        self, process: subprocess.Popen[str], complaints: IO[str], candidate: tuple[Path, str, str]
    ) -> None:
        self._process = process
        self._complaints = complaints
        self._candidate = candidate
        self._begun = self._read()

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
        together = [BATCH / seconds for answer in answers for seconds in answer["together"]]
        return BenchmarkResult(
            file=file,
            engine=engine,
            precision=precision,
            quantization=self._begun["quantization"],
            threads=threads,
            cold_start=self._begun["cold_start"],
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
            kinds = {"ImportError": ImportError, "FileNotFoundError": FileNotFoundError}
            raise kinds.get(answer["kind"], ValueError)(answer["error"])
        return answer


@contextmanager
def _worker(
    file: Path, engine: str, precision: str, arguments: dict[str, Any]
) -> Iterator[_Worker]:
    task = {"path": str(file), "engine": engine, "precision": precision, **arguments}
    command = [sys.executable, "-m", _WORKER, json.dumps(task)]
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
            yield _Worker(process, complaints, (file, engine, precision))
        finally:
            process.kill()


def _quartiles(values: Sequence[float]) -> Quartiles:
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Quartiles(median=median, low=low, high=high, repetitions=len(values))
