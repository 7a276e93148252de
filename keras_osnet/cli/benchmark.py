"""`keras-osnet benchmark`: speed and memory of every engine on this machine."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import print_json, print_table, progress, waiting
from keras_osnet.cli.embedder import load_embedder

if TYPE_CHECKING:
    from keras_osnet.runtime import BenchmarkResult, Quartiles


@click.command("benchmark")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--weights",
    metavar="TAG|FILE",
    help="Export this model, or a network that was never trained (random), as a file for every "
    "engine, and measure these.",
)
@options.width
@options.variant
@options.input_size
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads that an engine computes with. Default: as many as there are processors.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=5,
    metavar="N",
    show_default=True,
    help="Turns that every engine takes.",
)
@options.takes
@options.as_json
def command(
    files: Sequence[Path],
    weights: str | None,
    width: float | None,
    variant: str | None,
    size: tuple[int, int] | None,
    threads: int | None,
    rounds: int,
    takes: str | None,
    as_json: bool,
) -> None:
    """Measure speed and memory of exported files on this machine.

    FILES end in .tflite, .onnx or .xml. Every engine that is installed runs in a process of its
    own, and they take turns. Times are medians with the quartiles, with resizing and normalising:
    latency of one picture, throughput of 32 at once.

    \b
    keras-osnet benchmark osnet.tflite osnet.onnx
    keras-osnet benchmark --weights msmt17_combineall --width 0.25 --threads 2
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    if bool(files) == bool(weights):
        raise click.UsageError("Name FILES to measure, or a model to export with --weights.")
    if files and (width is not None or variant is not None):
        raise click.UsageError("--width and --variant are for --weights, not for exported files.")
    if weights and takes is not None:
        raise click.UsageError("--takes is for exported files, not for --weights.")
    from keras_osnet.runtime import benchmark
    from keras_osnet.runtime.benchmark import count_turns

    with _exported(files, weights, width, variant, size) as measured:
        with progress("Measuring", count_turns(measured, rounds)) as advance:
            speeds = benchmark(
                measured,
                threads=threads,
                rounds=rounds,
                takes=takes,
                image_size=None if weights else size,
                progress=advance,
            )
        sizes = [_megabytes(speed.file) for speed in speeds]
    if as_json:
        print_json(
            [
                {**asdict(speed), "file": str(speed.file), "megabytes": megabytes}
                for speed, megabytes in zip(speeds, sizes, strict=True)
            ]
        )
    else:
        _print(speeds, sizes)


@contextmanager
def _exported(
    files: Sequence[Path],
    weights: str | None,
    width: float | None,
    variant: str | None,
    size: tuple[int, int] | None,
) -> Iterator[Sequence[Path]]:
    """Give the files, or those that a model is exported to for the time being."""
    if weights is None:
        yield files
        return
    model = load_embedder(weights, width=width, variant=variant, size=size)
    from keras_osnet.deploy import export_onnx, export_openvino, export_tflite

    with tempfile.TemporaryDirectory() as folder:
        exports = {".tflite": export_tflite, ".onnx": export_onnx, ".xml": export_openvino}
        for suffix, export in exports.items():
            with waiting(f"Exporting {model.name}{suffix} …"):
                export(model, Path(folder, model.name + suffix))
        yield [Path(folder, model.name + suffix) for suffix in exports]


def _print(speeds: Sequence["BenchmarkResult"], sizes: Sequence[float]) -> None:
    columns = ("MB", "start s", "latency ms", "images/s", "peak MB")
    print_table(
        ("file", "engine", "precision", *columns),
        [
            (
                speed.file.name,
                speed.engine,
                speed.quantization or speed.precision,
                f"{megabytes:.2f}",
                f"{speed.cold_start:.2f}",
                _with_quartiles(speed.latency, 2),
                _with_quartiles(speed.throughput, 1),
                "" if speed.peak_memory is None else f"{speed.peak_memory:.0f}",
            )
            for speed, megabytes in zip(speeds, sizes, strict=True)
        ],
        numbers=columns,
    )
    click.echo(
        f"\nThreads: {speeds[0].threads}. In brackets: what half of the repetitions lie between."
    )


def _with_quartiles(spread: "Quartiles", digits: int) -> str:
    return f"{spread.median:.{digits}f} ({spread.low:.{digits}f}–{spread.high:.{digits}f})"


def _megabytes(file: Path) -> float:
    """Size of a model on disk, OpenVINO's weights included, in MB of 10^6 bytes."""
    parts = [file, file.with_suffix(".bin")] if file.suffix == ".xml" else [file]
    return sum(part.stat().st_size for part in parts) / 1e6
