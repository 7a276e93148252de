"""`keras-osnet visualize`: one command per kind of figure, and their common steps."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet.cli import options, outputs
from keras_osnet.cli.application import LazyGroup
from keras_osnet.cli.console import describe_unreadable, echo, warn_unreadable
from keras_osnet.cli.options import ModelSource

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KINDS = {
    "activations": "models:activations",
    "clusters": "models:clusters",
    "gates": "models:gates",
    "ranked": "results:ranked",
    "attributes": "models:attributes",
    "explain": "models:explain",
    "embeddings": "results:embeddings",
    "cmc": "results:cmc",
    "roc": "results:roc",
    "training": "results:training",
    "network": "models:network",
    "block": "models:block",
}
"""Module of this package and name in it, in the order of `--help`."""


@click.group("visualize", cls=LazyGroup, commands=_KINDS, package=__name__)
def command() -> None:
    """Draw feature maps, gates and retrieval results.

    Each command writes one figure: .png, .svg or .pdf.

    \b
    keras-osnet visualize activations DIR --weights TAG -o maps.png
    keras-osnet visualize ranked --data DIR --weights TAG -o ranked.pdf
    keras-osnet visualize training RUN -o training.svg
    """


SEVERAL = f"{options.WEIGHTS} Give it several times to compare."


def figure_option(text: str, **settings: Any) -> Any:
    """Return an option of a figure to write.

    Args:
        text: The help.
        settings: Of `outputs.output_file`: another name, or that it is not required.
    """
    needs = ("matplotlib", "Drawing figures", "visualize")
    return outputs.output_file(".png", ".svg", ".pdf", text=text, needs=needs, **settings)


output = figure_option("Figure to write, .png, .svg or .pdf; replaced if it exists.")


def show(default: int) -> Callable:
    """Return an option `--show N`."""
    return options.count("--show", "How many images to draw at most, evenly spaced.", default)


def readable(paths: Sequence[Path], most: int | None = None) -> list[Path]:
    """Return the images that files and folders name, and warn of unreadable ones.

    Args:
        paths: Files and folders.
        most: Choose at most this many, evenly spaced.
    """
    from keras_osnet.data.list_images import list_images
    from keras_osnet.data.load_images import find_unreadable
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
    """Return distinct titles of files and tags: names, or more of the paths where names are equal.

    Every training writes a file of the same name, in its own folder.
    """
    different = list(dict.fromkeys(given))
    parts = {each: Path(each).parts for each in different}
    shown = {each: parts[each][-1:] for each in different}
    if len(set(shown.values())) < len(different):
        # Exclude the names from the common beginning, so that something is left of each.
        levels = zip(*(each[:-1] for each in parts.values()), strict=False)
        same = sum(1 for _ in itertools.takewhile(lambda level: len(set(level)) == 1, levels))
        shown = {each: parts[each][same:] for each in different}
    return [str(Path(*shown[each])) for each in given]


def titled(models: Sequence[ModelSource]) -> list[tuple[str, ModelSource]]:
    """Return models with distinct titles."""
    return list(zip(titles([str(each.weights) for each in models]), models, strict=True))


def write(figure: "Figure", path: Path) -> None:
    """Write a figure and print its path."""
    from keras_osnet.visualize import save_figure

    save_figure(figure, path)
    echo(f"Wrote {path}")
