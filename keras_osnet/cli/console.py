"""Output of the commands: tables and JSON on stdout, everything else on stderr; Keras's import."""

import codecs
import gc
import io
import math
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet._utils.files import json_text
from keras_osnet._utils.text import UNPRINTABLE

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH = 200
"""Columns where stdout is not a terminal: nothing should wrap in a file."""

INTERRUPTED = 128 + 2
"""Exit status of a program that Ctrl-C (signal 2) ended, as shells report it."""

_IN_ASCII = "keras_osnet.in_ascii"
"""Name of the error handler of streams whose encoding lacks a character."""

_ASCII = {
    **{"–": "-", "—": "-", "…": "...", "×": "x", "·": ".", "→": "->", "±": "+/-", "≤": "<="},
    **{"“": '"', "”": '"', "σ": "sigma"},
}
"""Substitutes of the characters that our own messages have."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")

_BACKENDS = ("tensorflow", "jax", "torch")


def per_cent(share: float) -> float | None:
    """Return a share in percent, rounded; None in place of NaN, which JSON lacks."""
    return None if math.isnan(share) else round(100 * float(share), 4)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json_text(value, ascii_only=not _encoding(sys.stdout).startswith("utf")))


def echo(message: Any = "", *, err: bool = False) -> None:
    """Print a message on stdout, or on stderr, without what would control the terminal."""
    click.echo(printable(str(message)), err=err)


def printable(text: str, *, lines: bool = True) -> str:
    """Return a text with control characters, and bytes that are no text, as escapes.

    Args:
        text: Perhaps with the names of files, which may hold anything.
        lines: Whether to leave line breaks.
    """
    text = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
    if not lines:
        text = text.replace("\n", "\\n")
    return UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def escape_unprintable() -> None:
    """Let stdout and stderr print every text: in ASCII what their encoding lacks."""
    codecs.register_error(_IN_ASCII, _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_IN_ASCII)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_ASCII.get(each) or _escaped(each) for each in lacking), error.end


def _escaped(character: str) -> str:
    """Return a character's escape in JSON and TOML."""
    code = ord(character)
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def _encoding(stream: Any) -> str:
    return (getattr(stream, "encoding", None) or "utf-8").lower()


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[str] = ()
) -> None:
    """Print a table on stdout.

    Args:
        columns: Headings.
        rows: One text for each column.
        numbers: Columns that are aligned to the right.
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, collapse_padding=True, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        # Brackets in file names are not markup.
        table.add_row(*(_plain(cell) for cell in row))
    _stdout().print(table)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns on stdout."""
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, _plain(value))
    _stdout().print(table)


def warn(message: str) -> None:
    """Print a warning on stderr."""
    click.echo(f"{click.style('Warning:', fg='yellow')} {printable(message)}", err=True)


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr if that is a terminal.

    Yields:
        A function to call with the number of items done.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def waiting(description: str) -> Iterator[None]:
    """Show a spinner on stderr if that is a terminal."""
    from rich.console import Console

    with Console(stderr=True).status(description) if sys.stderr.isatty() else nullcontext():
        yield


def describe_unreadable(reasons: Mapping[Path, str], total: int) -> str:
    """Return a message that counts unreadable images and gives the reason of each."""
    lines = [f"{len(reasons)} of {total} images could not be read:"]
    lines += [
        f"  {printable(str(path), lines=False)}: {reason}" for path, reason in reasons.items()
    ]
    return "\n".join(lines)


def report_unreadable(reasons: Mapping[Path, str]) -> dict[str, Any]:
    """Return count and paths of unreadable images, for JSON."""
    return {"count": len(reasons), "files": [str(path) for path in reasons]}


def warn_unreadable(reasons: Mapping[Path, str], total: int) -> None:
    """Warn on stderr if there are unreadable images."""
    if reasons:
        warn(f"{describe_unreadable(reasons, total)}\nThe result is without them.")


def import_keras() -> None:
    """Import Keras and its backend.

    Raises:
        ImportError: The backend is not installed; the message says how to get one.
    """
    if "keras" in sys.modules:
        return
    # The imports create a million objects that stay. To look for garbage among them would take half
    # a second meanwhile, and a second at the end of the process.
    gc.disable()
    try:
        with waiting("Starting Keras …"):
            import keras  # noqa: F401
        gc.freeze()
    except (ImportError, ValueError) as error:  # ValueError: unknown KERAS_BACKEND
        raise ImportError(_what_to_install(error)) from error
    finally:
        gc.enable()


def _what_to_install(error: Exception) -> str:
    wanted = os.environ.get("KERAS_BACKEND") or "tensorflow"
    missing = getattr(error, "name", None) or ""
    if wanted not in _BACKENDS or not missing.startswith(wanted):
        return f"Keras cannot be imported: {error}. Received: KERAS_BACKEND={wanted}"
    others = [backend for backend in _BACKENDS if backend != wanted]
    return (
        f"Keras runs on a backend, and {wanted} is not installed. Install it with: "
        f'pip install "keras-osnet[{wanted}]" (or [{others[0]}] or [{others[1]}], with '
        f"KERAS_BACKEND={others[0]} or {others[1]} in the environment)"
    )


def _stdout() -> "Console":
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:  # which would exit with another status
            raise BrokenPipeError

    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Output(width=_PIPE_WIDTH if wide else None, highlight=False)


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(printable(text))
