"""What the commands that draw have in common: pictures in, a figure out."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keras_osnet.cli import options
from keras_osnet.cli.unreadable import describe_unreadable, warn_unreadable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FORMATS = (".png", ".svg", ".pdf")


def _checked_output(_: click.Context, __: click.Parameter, output: Path) -> Path:
    """Refuse what could not be written before the work rather than after."""
    if output.suffix not in _FORMATS:
        raise click.BadParameter(f"must end in {', '.join(_FORMATS)}. Received: {output}")
    return options.writable(output)


output = click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_checked_output,
    metavar="FILE",
    help="Figure to write, .png, .svg or .pdf; replaced if it exists.",
)

pictures = click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)


def show(default: int) -> Callable:
    """An option `--show N`."""
    return click.option(
        "--show",
        type=click.IntRange(min=1),
        default=default,
        metavar="N",
        show_default=True,
        help="How many pictures to draw at most, evenly spaced among those given.",
    )


def readable(paths: Sequence[Path], most: int | None = None) -> list[Path]:
    """Return the pictures that paths of files and folders name, and warn of what is not readable.

    Args:
        paths: As they were typed.
        most: Of more than this, so many are chosen, evenly spaced.
    """
    from keras_osnet.data.images import find_unreadable, list_images
    from keras_osnet.data.sampling import evenly_spaced

    files = [file for path in paths for file in (list_images(path) if path.is_dir() else [path])]
    if most is not None:
        files = [files[index] for index in evenly_spaced(len(files), most)]
    unreadable = find_unreadable(files)
    found = [file for file in files if file not in unreadable]
    if not found:
        raise click.ClickException(describe_unreadable(unreadable, len(files)))
    warn_unreadable(unreadable, len(files))
    return found


def titles(given: Sequence[str]) -> list[str]:
    """Return what tells files and tags apart: their names, or more of their paths if two share one.

    Every training ends in a file of the same name, in a folder of its own.
    """
    different = list(dict.fromkeys(given))
    parts = {each: Path(each).parts for each in different}
    shown = {each: parts[each][-1:] for each in different}
    if len(set(shown.values())) < len(different):
        # The names alone are not in the common beginning, so that something is left of each.
        levels = zip(*(each[:-1] for each in parts.values()), strict=False)
        same = sum(1 for _ in itertools.takewhile(lambda level: len(set(level)) == 1, levels))
        shown = {each: parts[each][same:] for each in different}
    return [str(Path(*shown[each])) for each in given]


def write(figure: "Figure", path: Path) -> None:
    """Write a figure and say so."""
    from keras_osnet.visualize import save_figure

    save_figure(figure, path)
    click.echo(f"Wrote {path}")
