"""What was published about the datasets, and whether what was read agrees with it."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from keras_osnet.data.datasets.records import Dataset


@dataclass(frozen=True)
class DatasetVersion:
    """A version or protocol of a dataset.

    Attributes:
        counts: What was published of `Dataset.counts`, by name.
        splits: How many divisions into training and test people there are to average over.
    """

    counts: Mapping[str, int]
    splits: int


@dataclass(frozen=True)
class DatasetInfo:
    """What was published about a dataset.

    Attributes:
        name: As in `read_dataset`.
        title: As its authors write it.
        paper: Where it was published.
        home: Where to ask for it.
        layout: The folders and files that are read, as a drawing.
        note: What a user should know besides; empty for most.
        versions: By name; the first is the usual one.
    """

    name: str
    title: str
    paper: str
    home: str
    layout: str
    note: str
    versions: Mapping[str, DatasetVersion]


class DatasetCountError(ValueError):
    """What was read is not what was published: files are missing, or it is something else."""


@cache
def _table() -> dict[str, DatasetInfo]:
    text = resources.files(__package__).joinpath("published.toml").read_text(encoding="utf-8")
    return {
        name: DatasetInfo(
            name=name,
            title=entry["title"],
            paper=entry["paper"],
            home=entry["home"],
            layout=entry["layout"].strip("\n"),
            note=entry.get("note", ""),
            versions={
                version: DatasetVersion(facts["counts"], facts.get("splits", 1))
                for version, facts in entry["versions"].items()
            },
        )
        for name, entry in tomllib.loads(text).items()
    }


def list_datasets() -> list[str]:
    """Names of the datasets that `read_dataset` reads, as the literature has them.

    Example:
        >>> list_datasets()[:3]
        ['market1501', 'dukemtmcreid', 'msmt17']
    """
    return list(_table())


def dataset_info(name: str) -> DatasetInfo:
    """What was published about a dataset: counts, versions, splits, folder layout, home page.

    Args:
        name: One of `list_datasets()`.

    Raises:
        ValueError: If there is no such dataset.

    Example:
        >>> dataset_info("msmt17").versions["v1"].counts["train_images"]
        30248
    """
    try:
        return _table()[name]
    except KeyError:
        raise ValueError(
            f"`name` must be one of {', '.join(_table())}. Received: {name!r}"
        ) from None


def check_counts(dataset: Dataset, folder: str | os.PathLike[str]) -> None:
    """Compare a dataset with what was published about it.

    Args:
        dataset: As `read_dataset` returns it.
        folder: Where it was read from, for the error.

    Raises:
        DatasetCountError: If a count differs; the error names each with both numbers.
        ValueError: If the dataset is none of `list_datasets()`.
    """
    info = dataset_info(dataset.name)
    found = dataset.counts
    wrong = [
        f"{count.replace('_', ' ')}: expected {expected:,}, found {found[count]:,}"
        for count, expected in info.versions[dataset.version].counts.items()
        if found[count] != expected
    ]
    if wrong:
        raise DatasetCountError(
            f"This is not {info.title} (version {dataset.version!r}) as published, or files are "
            f"missing or were added: {'; '.join(wrong)}. With `check=False`, `read_dataset` reads "
            f"it all the same. Received: {os.fspath(folder)}"
        )
