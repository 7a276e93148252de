"""Options that several commands have."""

import tempfile
from pathlib import Path
from typing import Any

import click

RANDOM = "random"
"""What `--weights` takes for a network that was never trained."""

WEIGHTS = (
    "A tag (see `keras-osnet weights`), a file, or hf://owner/repo[/file][@revision]; "
    f'"{RANDOM}" for a network that was never trained.'
)

weights = click.option("--weights", required=True, metavar="TAG|FILE", help=WEIGHTS)

ensemble = click.option(
    "--weights",
    required=True,
    multiple=True,
    metavar="TAG|FILE",
    help=f"{WEIGHTS} Give it several times for an ensemble, whose vectors are put side by side.",
)

width = click.option(
    "--width",
    type=float,
    help="Width multiplier: 1.0, 0.75, 0.5 or 0.25. Default: what the file holds; 1.0 for a tag.",
)

variant = click.option(
    "--variant",
    type=click.Choice(["base", "ibn", "ain"]),
    help="Default: what the file holds; base for a tag.",
)

metric = click.option(
    "--metric",
    type=click.Choice(["cosine", "euclidean"]),
    default="cosine",
    show_default=True,
    help="Distance between vectors.",
)

flip = click.option(
    "--flip", is_flag=True, help="Average the vectors of pictures and mirror images."
)

batch_size = click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=32,
    metavar="N",
    show_default=True,
    help="Pictures that the network takes at once.",
)

pixel_range = click.option(
    "--pixel-range",
    type=click.Choice(["0-255", "0-1", "normalized"]),
    help="Range of the input of an exported file that was not written by keras-osnet.",
)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def writable(path: Path) -> Path:
    """Return a file's path if its folder can be written to: better refused before work than after.

    Raises:
        click.BadParameter: There is no such folder, or it is not to be written to.
    """
    if not path.parent.is_dir():
        raise click.BadParameter(f"must be in a folder that exists. Received: {path}")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise click.BadParameter(
            f"must be in a folder that can be written to: {error.strerror}. Received: {path}"
        ) from error
    return path


def size(text: str, default: tuple[int, int] | None = (256, 128)) -> Any:
    """An option `--size HEIGHT WIDTH`."""
    return click.option(
        "--size",
        type=click.IntRange(min=1),
        nargs=2,
        metavar="H W",
        default=default,
        show_default=default is not None,
        help=text,
    )


input_size = size(
    "Height and width that pictures are resized to. Default: those of the model in the file, "
    "else 256 128.",
    default=None,
)
