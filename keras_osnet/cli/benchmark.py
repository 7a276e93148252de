"""`keras-osnet benchmark`: speed and memory of every engine on this machine."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import echo, print_json, print_table, progress, waiting
from keras_osnet.cli.options import EXPORTED, ModelSource

if TYPE_CHECKING:
    from keras_osnet.runtime.benchmark import BenchmarkResult, Quartiles


@click.command("benchmark")
@options.model_options(
    text="A file that `keras-osnet export` wrote (.tflite, .onnx, .xml); give it several times for "
    "several files. Or weights as for the other commands, which are exported for every engine.",
    several=True,
)
@options.count("--threads", "Threads that an engine uses. Default: all processors.")
@options.count("--rounds", "Turns that every engine takes.", 5)
@options.device
@options.pixel_range
@options.as_json
def command(
    models: Sequence[ModelSource],
    threads: int | None,
    rounds: int,
    device: str,
    pixel_range: str | None,
    as_json: bool,
) -> None:
    """Measure speed and memory of exported files on this machine.

    Every engine that is installed runs in its own process, and they take turns. Times are medians
    with quartiles and include resizing and normalization: latency of one image, throughput of 32
    at once.

    \b
    keras-osnet benchmark --weights osnet.tflite --weights osnet.onnx
    keras-osnet benchmark --weights msmt17_combineall --width 0.25 --threads 2
    """
    files = [each.exported for each in models if each.exported is not None]
    if (files and len(files) < len(models)) or len(models) - len(files) > 1:
        raise click.UsageError("Give exported files or one model with --weights, not both.")
    if not files and pixel_range is not None:
        raise click.UsageError("--pixel-range is for exported files, not for weights.")
    if not files and device != "auto":
        raise click.UsageError("--device is for exported files, not for weights.")
    from keras_osnet.runtime import benchmark
    from keras_osnet.runtime.benchmark import count_turns

    with _exported(files, models[0]) as measured:
        with progress("Measuring", count_turns(measured, rounds, device)) as advance:
            results = benchmark(
                measured,
                threads=threads,
                device=device,
                rounds=rounds,
                pixel_range=pixel_range,
                image_size=models[0].image_size if files else None,
                progress=advance,
            )
        sizes = [_megabytes(result.file) for result in results]
    if as_json:
        print_json(
            [
                {**asdict(result), "file": str(result.file), "megabytes": megabytes}
                for result, megabytes in zip(results, sizes, strict=True)
            ]
        )
    else:
        _print(results, sizes)


@contextmanager
def _exported(files: Sequence[Path], source: ModelSource) -> Iterator[Sequence[Path]]:
    """Yield the files, or if there are none, temporary ones that a model is exported to."""
    if files:
        yield files
        return
    model = source.load("embedding")
    from keras_osnet.deploy import export

    with tempfile.TemporaryDirectory() as folder:
        exported = [Path(folder, model.name + suffix) for suffix in EXPORTED]
        for file in exported:
            with waiting(f"Exporting {file.name} …"):
                export(model, file)
        yield exported


def _print(results: Sequence["BenchmarkResult"], sizes: Sequence[float]) -> None:
    columns = ("MB", "start s", "latency ms", "images/s", "peak MB")
    print_table(
        ("file", "engine", "device", "precision", *columns),
        [
            (
                result.file.name,
                result.engine,
                result.device,
                result.quantization or result.precision,
                f"{megabytes:.2f}",
                f"{result.cold_start:.2f}",
                _with_quartiles(result.latency, 2),
                _with_quartiles(result.throughput, 1),
                "" if result.peak_memory is None else f"{result.peak_memory:.0f}",
            )
            for result, megabytes in zip(results, sizes, strict=True)
        ],
        numbers=columns,
    )
    echo(f"\nThreads: {results[0].threads}. In brackets: quartiles.")


def _with_quartiles(quartiles: "Quartiles", digits: int) -> str:
    return f"{quartiles.median:.{digits}f} ({quartiles.low:.{digits}f}–{quartiles.high:.{digits}f})"


def _megabytes(file: Path) -> float:
    """Return the size of a model on disk, with OpenVINO's weights, in MB of 10^6 bytes."""
    parts = [file, file.with_suffix(".bin")] if file.suffix == ".xml" else [file]
    return sum(part.stat().st_size for part in parts) / 1e6
