"""Options that say where people's pictures come from: a user's own, or a published dataset."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from keras_osnet.data import ReidDataset
    from keras_osnet.data.records import Dataset

DATA = click.Path(exists=True, path_type=Path)

data = click.option(
    "--data",
    type=DATA,
    metavar="PATH",
    help="Pictures: a folder of files named as Market-1501's, a folder with a sub-folder for each "
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
    help="Of --dataset: which of its divisions into people to train on and to test on. Default: 0.",
)

camera_pattern = click.option(
    "--camera-pattern",
    metavar="REGEX",
    help="Where in a path below a person's sub-folder the camera's number is, as its first group: "
    '"cam(\\d+)".',
)

no_check = click.option(
    "--no-check",
    is_flag=True,
    help="Read --dataset even if files are missing or were added.",
)

_OPTIONS = (data, dataset, version, split, camera_pattern, no_check)

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class PeopleSource:
    """Where people's pictures come from, as the options have it.

    Attributes:
        data: Folder or table; None if the option was not given, as are the others.
        dataset: Name of a published dataset that is in `data`.
        version: Of `dataset`.
        split: Of `dataset`.
        camera_pattern: Where the camera's number is in the paths of a user's own pictures.
        check: Whether `dataset` has to be as it was published.
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
                "--camera-pattern is for your own pictures; --dataset knows its cameras."
            )

    def read(self) -> "ReidDataset":
        """Read the pictures.

        Raises:
            click.UsageError: Options contradict each other or --data was not given.
            ValueError: It is a dataset of something else than people to find again, or for what
                `keras_osnet.data.read_people` and `read_dataset` refuse.
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


def people_options(command: _Command) -> _Command:
    """Give a command --data and what goes with it; it gets them as `source`, a `PeopleSource`."""

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


def people_of(content: "Dataset") -> "ReidDataset":
    """Return a dataset of people to find again, or raise ValueError if it is another kind."""
    from keras_osnet.data import ReidDataset

    if not isinstance(content, ReidDataset):
        raise ValueError(
            "--dataset must be one of people to find again, such as market1501. "
            f"Received: {content.name}, a dataset of another kind"
        )
    return content


def is_divided(people: "ReidDataset") -> bool:
    """Return whether a user's table says what is query and what gallery.

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
