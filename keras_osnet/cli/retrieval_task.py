"""What `evaluate` searches for in what: queries and gallery, from the options of the command."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from keras_osnet.cli.people import PeopleSource, is_divided

if TYPE_CHECKING:
    from keras_osnet.data import PersonImage, ReidDataset

_ONE_A_PERSON = "The queries are one picture of each person, drawn at random."


@dataclass(frozen=True)
class RetrievalTask:
    """What is to be searched for in what, and what there is to say about it.

    Attributes:
        splits: Queries and gallery, once or once for each split.
        protocol: The one that goes with the pictures.
        facts: For the report: the dataset, if it is a published one.
        notes: What a reader would not expect.
    """

    splits: "list[tuple[Sequence[PersonImage], Sequence[PersonImage]]]"
    protocol: Literal["market1501", "single-gallery-shot"] = "market1501"
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def retrieval_task(
    source: PeopleSource,
    all_splits: bool,
    query_camera: int | None,
    query: Path | None,
    gallery: Path | None,
) -> RetrievalTask:
    """Read the pictures that the options of `evaluate` name.

    Args:
        source: --data and what goes with it.
        all_splits: --all-splits.
        query_camera: --query-camera; None if it was not given, as are the others.
        query: --query.
        gallery: --gallery.

    Raises:
        click.UsageError: Options contradict each other, or pictures are missing.
        ValueError: The pictures cannot be divided, or for what reads them refuses.
        OSError: Files are not there or cannot be read.
    """
    source.check_usage()
    if query and gallery and not source.data:
        if query_camera is not None:
            raise click.UsageError("--query-camera divides --data; --query is a folder of its own.")
        if source.camera_pattern is not None:
            raise click.UsageError("--camera-pattern is for --data.")
        if all_splits:
            raise click.UsageError("--all-splits is of a published dataset; give --dataset NAME.")
        from keras_osnet.data import read_folder

        return RetrievalTask([(read_folder(query), read_folder(gallery))])
    if not source.data or query or gallery:
        raise click.UsageError("Give --data PATH, or --query DIR and --gallery DIR.")
    if source.dataset is None and not all_splits:
        return _own_pictures(source.read(), query_camera)
    if query_camera is not None:
        raise click.UsageError("--query-camera divides your own pictures; --dataset has queries.")
    contents = source.read_all_splits() if all_splits else [source.read()]
    return RetrievalTask(
        [(content.query, content.gallery) for content in contents],
        "single-gallery-shot" if contents[0].single_gallery_shot else "market1501",
        {
            "dataset": contents[0].name,
            "version": contents[0].version,
            "split": "all" if all_splits else source.split or 0,
        },
    )


def _own_pictures(people: "ReidDataset", query_camera: int | None) -> RetrievalTask:
    from keras_osnet.data import camera_labels, split_by_camera, split_queries

    if is_divided(people):
        if query_camera is not None:
            raise click.UsageError(
                "--query-camera divides --data, but the table has queries and a gallery already."
            )
        return RetrievalTask([(people.query, people.gallery)])
    images = people.all_images
    if query_camera is not None or camera_labels(images) is not None:
        return RetrievalTask([split_by_camera(images, 1 if query_camera is None else query_camera)])
    return RetrievalTask([split_queries(images)], notes=(_ONE_A_PERSON,))
