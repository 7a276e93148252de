"""Options for images of people, and for queries and galleries."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from keras_osnet.cli.options import FOLDER

if TYPE_CHECKING:
    from keras_osnet.data import PersonImage, ReidDataset
    from keras_osnet.data.records import Dataset

DATA = click.Path(exists=True, path_type=Path)

data = click.option(
    "--data",
    type=DATA,
    metavar="PATH",
    help="Images: a folder of files named as in Market-1501, a folder with a sub-folder for each "
    "person, or a table (.csv, .parquet). With --dataset, the folder it is in.",
)

dataset = click.option(
    "--dataset", metavar="NAME", help="Published dataset that --data holds: market1501, msmt17, …"
)

version = click.option(
    "--version", metavar="NAME", help="Of --dataset: version or protocol. Default: the usual one."
)

split = click.option(
    "--split",
    type=click.IntRange(min=0),
    metavar="N",
    help="Of --dataset: which of its splits into training and test people. Default: 0.",
)

camera_pattern = click.option(
    "--camera-pattern",
    metavar="REGEX",
    help="Pattern whose first group is the camera's number in a path below a person's sub-folder: "
    '"cam(\\d+)".',
)

no_check = click.option(
    "--no-check",
    is_flag=True,
    help="Read --dataset even if files are missing or were added.",
)

_OPTIONS = (data, dataset, version, split, camera_pattern, no_check)

BY_TABLE = "queries and gallery are those that the table names"
BY_DATASET = "queries and gallery are those of the dataset"

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class PeopleSource:
    """Images of people as the options describe them.

    Attributes:
        data: Folder or table; None if the option was not given, as are the others.
        dataset: Name of a published dataset that is in `data`.
        version: Of `dataset`.
        split: Of `dataset`.
        camera_pattern: Pattern of the camera's number in the paths of a user's own images.
        check: Whether `dataset` must be complete and unchanged.
    """

    data: Path | None = None
    dataset: str | None = None
    version: str | None = None
    split: int | None = None
    camera_pattern: str | None = None
    check: bool = True

    def check_usage(self) -> None:
        """Raise click.UsageError if options contradict each other."""
        if self.dataset is None:
            for name, given in (
                ("--version", self.version is not None),
                ("--split", self.split is not None),
                ("--no-check", not self.check),
            ):
                if given:
                    raise click.UsageError(
                        f"{name} is of a published dataset; give --dataset NAME."
                    )
        elif self.data is None:
            raise click.UsageError("--dataset NAME needs --data, the folder that it is in.")
        elif self.camera_pattern is not None:
            raise click.UsageError(
                "--camera-pattern is for your own images; --dataset knows its cameras."
            )

    def read(self) -> "ReidDataset":
        """Read the images.

        Raises:
            click.UsageError: Options contradict each other or --data was not given.
            ValueError: It is a dataset for another task; or as for
                `keras_osnet.data.read_people` and `read_dataset`.
            OSError: Files are not there or cannot be read.
        """
        self.check_usage()
        if self.data is None:
            raise click.UsageError("Give --data PATH.")
        if self.dataset is None:
            from keras_osnet.data import read_people

            return read_people(self.data, camera_pattern=self.camera_pattern)
        from keras_osnet.data import read_dataset

        return people_of(
            read_dataset(
                self.dataset,
                self.data,
                version=self.version,
                split=self.split or 0,
                check=self.check,
            )
        )

    def read_all_splits(self) -> "list[ReidDataset]":
        """Read all splits of a published dataset.

        Raises:
            click.UsageError: --dataset was not given, --split was, or the dataset has no splits.
            ValueError: As for `read`.
            OSError: As for `read`.
        """
        self.check_usage()
        if self.dataset is None or self.data is None:
            raise click.UsageError("--all-splits is of a published dataset; give --dataset NAME.")
        if self.split is not None:
            raise click.UsageError("--split and --all-splits exclude each other.")
        from keras_osnet.data import read_splits

        splits = read_splits(self.dataset, self.data, version=self.version, check=self.check)
        if len(splits) == 1:
            raise click.UsageError(f"{self.dataset} has no splits to average over.")
        return [people_of(content) for content in splits]


@dataclass(frozen=True)
class RetrievalTask:
    """Queries and galleries, and facts to report about them.

    Attributes:
        splits: Queries and gallery of each split.
        protocol: Evaluation protocol of the images.
        facts: Name, version and split of a published dataset, for the report.
        division: Which images are the queries and which the gallery, to print with the result.
    """

    splits: "list[tuple[Sequence[PersonImage], Sequence[PersonImage]]]"
    protocol: Literal["market1501", "single-gallery-shot"] = "market1501"
    facts: dict[str, Any] = field(default_factory=dict)
    division: str = ""


def people_options(command: _Command) -> _Command:
    """Give a command --data and the options that belong to it, as `source`, a `PeopleSource`."""

    @functools.wraps(command)
    def with_source(*arguments: Any, no_check: bool, **options: Any) -> Any:
        given = {
            name: options.pop(name)
            for name in ("data", "dataset", "version", "split", "camera_pattern")
        }
        return command(*arguments, source=PeopleSource(**given, check=not no_check), **options)

    wrapped: Any = with_source
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def retrieval_options(command: _Command) -> _Command:
    """Give a command --data, --query-camera, --query and --gallery.

    It gets them as `read_task`, `retrieval_task` without its argument `all_splits`.
    """

    @functools.wraps(command)
    def with_task(
        *arguments: Any,
        source: PeopleSource,
        query_camera: int | None,
        query: Path | None,
        gallery: Path | None,
        **options: Any,
    ) -> Any:
        read = functools.partial(
            retrieval_task, source, query_camera=query_camera, query=query, gallery=gallery
        )
        return command(*arguments, read_task=read, **options)

    wrapped: Any = with_task
    for option in (
        click.option("--gallery", type=FOLDER, help="Folder to find them in."),
        click.option("--query", type=FOLDER, help="Folder of queries, with --gallery."),
        click.option(
            "--query-camera",
            type=int,
            help="Camera of --data that took the queries; the others' images are the gallery. "
            "Default: the first camera that saw a person whom another one saw, too.",
        ),
    ):
        wrapped = option(wrapped)
    return people_options(wrapped)


def retrieval_task(
    source: PeopleSource,
    all_splits: bool = False,
    query_camera: int | None = None,
    query: Path | None = None,
    gallery: Path | None = None,
) -> RetrievalTask:
    """Read the images that the options of `evaluate` name.

    Args:
        source: --data and the options that belong to it.
        all_splits: --all-splits.
        query_camera: --query-camera.
        query: --query.
        gallery: --gallery.

    Raises:
        click.UsageError: Options contradict each other, or images are missing.
        ValueError: The images cannot be read, or not be split into queries and gallery.
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
        from keras_osnet.data.datasets.market1501 import read_folder

        division = f"queries are the images of {query}, and the gallery those of {gallery}"
        return RetrievalTask([(read_folder(query), read_folder(gallery))], division=division)
    if not source.data or query or gallery:
        raise click.UsageError("Give --data PATH, or --query DIR and --gallery DIR.")
    if source.dataset is None and not all_splits:
        return _own_images(source.read(), query_camera)
    if query_camera is not None:
        raise click.UsageError("--query-camera divides your own images; --dataset has queries.")
    contents = source.read_all_splits() if all_splits else [source.read()]
    return RetrievalTask(
        [(content.query, content.gallery) for content in contents],
        "single-gallery-shot" if contents[0].single_gallery_shot else "market1501",
        {
            "dataset": contents[0].name,
            "version": contents[0].version,
            "split": "all" if all_splits else source.split or 0,
        },
        BY_DATASET,
    )


def _own_images(people: "ReidDataset", query_camera: int | None) -> RetrievalTask:
    from keras_osnet.data.datasets.splits import divide_images

    if is_divided(people):
        if query_camera is not None:
            raise click.UsageError(
                "--query-camera divides --data, but the table has queries and a gallery already."
            )
        return RetrievalTask([(people.query, people.gallery)], division=BY_TABLE)
    query, gallery, division = divide_images(people.all_images, query_camera)
    return RetrievalTask([(query, gallery)], division=division)


def people_of(content: "Dataset") -> "ReidDataset":
    """Return a re-identification dataset, or raise ValueError if it is of another kind."""
    from keras_osnet.data import ReidDataset

    if not isinstance(content, ReidDataset):
        raise ValueError(
            "--dataset must be one for re-identification, such as market1501. "
            f"Received: {content.name}, a dataset of another kind"
        )
    return content


def is_divided(people: "ReidDataset") -> bool:
    """Return whether a user's table has queries and a gallery.

    Raises:
        ValueError: If it has one of them only.
    """
    if bool(people.query) != bool(people.gallery):
        missing = "query" if people.gallery else "gallery"
        raise ValueError(
            "The table must have both query and gallery in its column `split`, or neither. "
            f"Received: {people.name} without {missing}"
        )
    return bool(people.query)
