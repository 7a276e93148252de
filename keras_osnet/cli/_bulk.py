"""`keras-osnet embed` with a folder as output: any number of crops, into Parquet."""

import functools
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from keras_osnet.cli.console import echo, printable, warn
from keras_osnet.cli.outputs import creatable, writable

if TYPE_CHECKING:
    from keras_osnet.runtime import Embedder

_Command = TypeVar("_Command", bound=Any)

_BAR = 1000
"""Steps of the bar."""

_SECONDS_PER_LINE = 60.0
"""Between two lines where stderr is no terminal."""


@dataclass(frozen=True)
class BulkOptions:
    """The options that a folder as output has.

    Attributes:
        boxes: Table of the boxes of a video.
        dtype: Type of the vectors.
        resume: Whether to embed only what is missing.
        shard: Shard and number of shards.
    """

    boxes: Path | None
    dtype: str | None
    resume: bool
    shard: tuple[int, int] | None

    def check_file(self) -> None:
        """Raise click.UsageError if one is given although the output is a file."""
        given = {
            "--boxes": self.boxes,
            "--dtype": self.dtype,
            "--resume": self.resume,
            "--shard": self.shard,
        }
        for name, value in given.items():
            if value:
                raise click.UsageError(f"{name} needs a folder as --output.")

    def check_bulk(self, given: Mapping[str, bool]) -> None:
        """Raise click.UsageError if an option is given that only a file as output has."""
        for name, is_given in given.items():
            if is_given:
                raise click.UsageError(f"{name} needs a file ending in .npz as --output.")

    def run(
        self, images: Sequence[Path], output: Path, embedder: "Embedder", *, ray: bool, strict: bool
    ) -> None:
        """Embed and say what was done."""
        from keras_osnet.bulk import embed_to_parquet

        with _progress(output) as advance:
            result = embed_to_parquet(
                images,
                output,
                embedder,
                boxes=self.boxes,
                dtype=self.dtype or "float16",
                resume=self.resume,
                shard=self.shard or (1, 1),
                engine="ray" if ray else "local",
                progress=advance,
            )
        if result.unreadable:
            lines = [
                f"  {printable(key, lines=False)}: {why}" for key, why in result.reasons.items()
            ]
            if more := result.unreadable - len(lines):
                lines.append(f"  and {more:,} more")
            problem = "\n".join(
                [
                    f"{result.unreadable:,} inputs could not be read ({output / '_unreadable'}):",
                    *lines,
                ]
            )
            if strict or not (result.vectors or result.skipped):
                raise click.ClickException(problem)
            warn(problem)
        rate = _rate(result.vectors + result.unreadable, result.seconds)
        there = f", {result.skipped:,} were there" if self.resume else ""
        echo(
            f"Wrote {output}: {result.vectors:,} vectors of {embedder.dim}{there}, {rate}, by "
            f"{embedder.engine} on {embedder.device}"
        )


def bulk_options(command: _Command) -> _Command:
    """Give a command --boxes, --dtype, --resume and --shard, as `bulk`, a `BulkOptions`."""

    @functools.wraps(command)
    def with_options(
        *arguments: Any,
        boxes: Path | None,
        dtype: str | None,
        resume: bool,
        shard: tuple[int, int] | None,
        **others: Any,
    ) -> Any:
        return command(*arguments, bulk=BulkOptions(boxes, dtype, resume, shard), **others)

    wrapped: Any = with_options
    for option in (
        click.option(
            "--shard",
            callback=_parse_shard,
            metavar="I/N",
            help="Embed the I-th of N parts of the input, for several processes or machines.",
        ),
        click.option(
            "--resume", is_flag=True, help="Embed only the crops that the folder does not hold."
        ),
        click.option(
            "--dtype",
            type=click.Choice(["float16", "float32"]),
            help="Type of the vectors in a folder. Default: float16.",
        ),
        click.option(
            "--boxes",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Table (.csv, .parquet) of a video's boxes: frame, left, top, right, bottom, …",
        ),
    ):
        wrapped = option(wrapped)
    return wrapped


def check_output(_: click.Context, __: click.Parameter, path: Path) -> Path:
    """Return the path of an `.npz` file or a folder that can be written to."""
    if path.suffix == ".npz":
        if path.is_dir():
            raise click.BadParameter(f"is a folder, not a file. Received: {path}")
        return writable(path)
    if path.suffix not in ("", ".parquet") and not path.is_dir():
        raise click.BadParameter(
            f"must end in .npz, or be a folder (or end in .parquet, which becomes one). "
            f"Received: {path}"
        )
    return creatable(path)


def _parse_shard(_: click.Context, __: click.Parameter, text: str | None) -> Any:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise click.BadParameter(f"must be like 1/3, 2/3 and 3/3. Received: {text}")
    return int(match[1]), int(match[2])


@contextmanager
def _progress(output: Path) -> Iterator[Callable[[int, float], None]]:
    """Show a bar on stderr, or a line a minute if that is no terminal.

    Ctrl-C says how to go on.

    Yields:
        A function to call with the number of crops done, and the share of the input.
    """
    crops = 0
    show = _bar if sys.stderr.isatty() else _lines
    with show() as advance:

        def count(done: int, position: float) -> None:
            nonlocal crops
            crops = done
            advance(done, position)

        try:
            yield count
        except KeyboardInterrupt:
            echo(
                f"\n{crops:,} crops are embedded and in {output}. The same command with --resume "
                "embeds the others.",
                err=True,
            )
            raise


@contextmanager
def _bar() -> Iterator[Callable[[int, float], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    started = time.monotonic()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("Reading the input …", total=_BAR, facts="")

        def advance(done: int, position: float) -> None:
            rate = _rate(done, time.monotonic() - started)
            facts = f"{done:,} crops, {rate}"
            bar.update(task, description="Embedding", completed=_BAR * position, facts=facts)

        yield advance


@contextmanager
def _lines() -> Iterator[Callable[[int, float], None]]:
    started = said = time.monotonic()

    def advance(done: int, position: float) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said < _SECONDS_PER_LINE:
            return
        said, seconds = now, now - started
        left = seconds * (1 - position) / max(position, 1e-9) / 60
        echo(
            f"{done:,} crops, {_rate(done, seconds)}, {position:.0%} of the input, about "
            f"{left:,.0f} min left",
            err=True,
        )

    yield advance


def _rate(crops: int, seconds: float) -> str:
    return f"{crops / max(seconds, 1e-3):,.0f}/s"
