"""`keras-osnet gallery add`."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keras_osnet.cli import gallery as group
from keras_osnet.cli import options
from keras_osnet.cli.console import echo, progress, warn

if TYPE_CHECKING:
    from keras_osnet.runtime import Embedder


@click.command("add")
@group.place
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@group.weights(
    "For a source without vectors: the exported model that computes them", required=False
)
@options.device
@options.pixel_range
@click.option("--camera", metavar="NAME", help="Camera of all rows.")
@click.option("--site", metavar="NAME", help="Site of all rows.")
def command(
    place: str,
    source: Path,
    weights: Path | None,
    device: str,
    pixel_range: str | None,
    camera: str | None,
    site: str | None,
) -> None:
    """Add vectors, or images of people.

    SOURCE is a Parquet data set of vectors (a folder of .parquet files, or one); or with --weights,
    a folder of images, or a list (.csv, .parquet) with the column path and any others, such as
    camera, time, site and person. Rows that are there already are not added again.

    \b
    keras-osnet gallery add people.lance vectors/
    keras-osnet gallery add people.lance crops/ --weights osnet.onnx --camera 3
    """
    from keras_osnet.gallery import Gallery

    constant = {"camera": camera, "site": site}
    columns = {name: value for name, value in constant.items() if value is not None}
    with Gallery.open(place) as gallery, tempfile.TemporaryDirectory() as temporary:
        unreadable = 0
        if weights is None:
            folder = source
            if source.is_dir() and not any(source.glob("*.parquet")):
                raise click.UsageError(
                    f"There are no vectors (.parquet) in {source}; for images give --weights FILE."
                )
        else:
            folder = Path(temporary) / "vectors"
            embedder = group.open_embedder(weights, device, pixel_range, gallery)
            unreadable = _embed(source, folder, embedder)
        added = gallery.add_dataset(folder, columns=columns)
        echo(f"Added {added:,} rows to {place}, which has {gallery.count():,}")
        if unreadable:
            warn(f"{unreadable:,} inputs could not be read; `keras-osnet embed` lists them.")


def _embed(source: Path, folder: Path, embedder: "Embedder") -> int:
    """Embed images to a data set, and return the number of inputs that could not be read."""
    from keras_osnet.bulk import embed_to_parquet

    with progress("Embedding", 1000) as advance:
        result = embed_to_parquet(
            source, folder, embedder, progress=lambda _, share: advance(round(1000 * share))
        )
    if not result.vectors:
        raise click.ClickException(
            f"None of {result.unreadable:,} inputs could be read. Nothing was added."
        )
    return result.unreadable
