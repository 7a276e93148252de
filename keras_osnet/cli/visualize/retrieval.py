"""Queries and a gallery, embedded, for the figures of what is found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from keras_osnet.cli.console import progress
from keras_osnet.cli.embedder import load_embedder
from keras_osnet.cli.people import people_options
from keras_osnet.cli.unreadable import warn_unreadable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keras_osnet.data import PersonImage

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

_Command = TypeVar("_Command", bound=Any)

several_weights = click.option(
    "--weights",
    required=True,
    multiple=True,
    metavar="TAG|FILE",
    help="A tag, a file, or hf://owner/repo[/file][@revision]. Give it several times to compare.",
)


@dataclass(frozen=True, eq=False)
class Embedded:
    """People's pictures that were read, and the vectors of a model of them."""

    people: "list[PersonImage]"
    vectors: "NDArray[Any]"


def task_options(command: _Command) -> _Command:
    """Give a command --data and what goes with it, --query-camera, --query and --gallery."""
    for option in (
        click.option("--gallery", type=_FOLDER, help="Folder to find them in."),
        click.option("--query", type=_FOLDER, help="Folder of queries, with --gallery."),
        click.option(
            "--query-camera",
            type=int,
            help="Camera of --data that took the queries; the others' pictures are the gallery. "
            "Default: 1.",
        ),
    ):
        command = option(command)
    return people_options(command)


def embed_people(
    people: "Sequence[PersonImage]",
    weights: str,
    *,
    width: float | None,
    variant: str | None,
    size: tuple[int, int] | None,
    batch_size: int,
) -> Embedded:
    """Embed pictures of people, those left out, and named, that cannot be read."""
    model = load_embedder(weights, width=width, variant=variant, size=size)
    from keras_osnet.evaluation import embed_images

    files = list(dict.fromkeys(person.path for person in people))
    with progress("Embedding", len(files)) as advance:
        embedded = embed_images(
            model, files, batch_size=batch_size, skip_unreadable=True, progress=advance
        )
    warn_unreadable(embedded.unreadable, len(files))
    rows = {path: row for row, path in enumerate(embedded.paths)}
    read = [person for person in people if person.path in rows]
    return Embedded(read, embedded.vectors[[rows[person.path] for person in read]])


def embed_sides(
    sides: "tuple[Sequence[PersonImage], Sequence[PersonImage]]", weights: str, **options: Any
) -> tuple[Embedded, Embedded]:
    """Embed queries and gallery with one model."""
    query, gallery = sides
    whole = embed_people([*query, *gallery], weights, **options)
    read = {person.path for person in whole.people}
    count = sum(person.path in read for person in query)
    if count in (0, len(whole.people)):
        raise ValueError(
            "Both queries and gallery must have pictures that can be read. "
            f"Received: {count} queries, {len(whole.people) - count} of the gallery"
        )
    return (
        Embedded(whole.people[:count], whole.vectors[:count]),
        Embedded(whole.people[count:], whole.vectors[count:]),
    )
