"""`keras-osnet gallery`: one command for each use of a gallery, and their common options."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet.cli import options
from keras_osnet.cli.application import LazyGroup

if TYPE_CHECKING:
    from keras_osnet.gallery import Gallery
    from keras_osnet.runtime import Embedder

_COMMANDS = {
    "add": "add:command",
    "search": "search:command",
    "evaluate": "evaluate:command",
    "info": "maintain:info",
    "delete": "maintain:delete",
    "compact": "maintain:compact",
    "index": "maintain:index",
    "export": "maintain:export",
}
"""Module of this package and name in it, in the order of `--help`."""


@click.group("gallery", cls=LazyGroup, commands=_COMMANDS, package=__name__)
def command() -> None:
    """Keep embeddings with cameras and times, and search them.

    GALLERY is a folder, such as people.lance, or s3://bucket/people.lance, or a collection of
    Milvus, such as http://host:19530/people. Times are ISO 8601 with a time zone:
    2026-11-27T14:00Z, 2026-11-27T15:00+01:00.

    \b
    keras-osnet gallery add people.lance vectors/
    keras-osnet gallery search people.lance image.jpg --weights osnet.onnx --not-camera 3
    keras-osnet gallery delete people.lance --older-than 72h
    keras-osnet gallery compact people.lance
    """


place = click.argument("place", metavar="GALLERY")

_EXPORTED = " (.tflite, .onnx, .xml)"


def weights(text: str, *, required: bool) -> Any:
    """Return the option `--weights FILE` for an exported file."""

    def check(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() not in options.EXPORTED:
            raise click.BadParameter(
                "must be a file that `keras-osnet export` wrote, so that the same model computes "
                f"all vectors of a gallery. Received: {path}"
            )
        return path

    return click.option(
        "--weights",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        callback=check,
        required=required,
        metavar="FILE",
        help=text + _EXPORTED + ".",
    )


def open_embedder(
    path: Path, device: str, pixel_range: str | None, gallery: "Gallery"
) -> "Embedder":
    """Open the model that computes vectors, before any work.

    Raises:
        ValueError: It is another one than the gallery's.
    """
    from keras_osnet.runtime import Embedder

    embedder = Embedder(path, device=device, pixel_range=pixel_range)
    if gallery.model not in (None, embedder.digest):
        raise ValueError(
            "`model` must be that of the gallery: vectors of different models cannot be compared. "
            f"Received: {path} ({embedder.digest}); {gallery.uri} has {gallery.model}"
        )
    return embedder
