"""`keras-osnet embed`: a vector for every picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import progress
from keras_osnet.cli.embedder import load_embedder
from keras_osnet.cli.unreadable import describe_unreadable, warn_unreadable


def _checked_output(_: click.Context, __: click.Parameter, output: Path) -> Path:
    """Refuse what could not be written before hours of work rather than after."""
    if output.suffix != ".npz":
        raise click.BadParameter(f"must end in .npz. Received: {output}")
    if not output.parent.is_dir():
        raise click.BadParameter(f"must be in a folder that exists. Received: {output}")
    return output


@click.command("embed")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--list",
    "listing",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Text file that names one picture a line, seen from the current folder; - is stdin.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_checked_output,
    metavar="FILE.npz",
    help="Where to write `vectors` (n, dim) float32 and `names` (n,); replaced if it exists.",
)
@options.weights
@options.width
@options.variant
@options.input_size
@options.batch_size
@click.option("--normalize", is_flag=True, help="Scale vectors to length 1.")
@click.option("--strict", is_flag=True, help="Fail if a picture cannot be read.")
def command(
    paths: Sequence[Path],
    listing: TextIO | None,
    output: Path,
    weights: str,
    width: float | None,
    variant: str | None,
    size: tuple[int, int] | None,
    batch_size: int,
    normalize: bool,
    strict: bool,
) -> None:
    """Compute a vector for every picture in PATHS, folders or files.

    Pictures that cannot be read are named and left out of the file.

    \b
    keras-osnet embed crops --weights msmt17_combineall --output vectors.npz
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    files = _files(paths, listing)
    model = load_embedder(weights, width=width, variant=variant, size=size, normalize=normalize)
    from keras_osnet.models import embed_images

    with progress("Embedding", len(files)) as advance:
        embedded = embed_images(model, files, batch_size=batch_size, progress=advance)
    if embedded.unreadable and (strict or not embedded.paths):
        problem = describe_unreadable(embedded.unreadable, len(files))
        raise click.ClickException(f"{problem}\nNothing was written.")
    embedded.save(output)
    warn_unreadable(embedded.unreadable, len(files))
    click.echo(f"Wrote {output}: {len(embedded.vectors)} vectors of {model.output_shape[1]}")


def _files(paths: Sequence[Path], listing: TextIO | None) -> list[Path]:
    from keras_osnet.data import list_images

    files: list[Path] = []
    for path in paths:
        files += list_images(path) if path.is_dir() else [path]
    if listing is not None:
        files += [Path(line.strip()) for line in listing if line.strip()]
    if not files:
        raise click.UsageError("Name pictures or folders in PATHS, or a text file with --list.")
    return files
