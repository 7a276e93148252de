"""Published facts of the datasets, and a check of read datasets against them."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from keras_osnet.data.records import Dataset


@dataclass(frozen=True)
class DatasetVersion:
    """A version or protocol of a dataset.

    Attributes:
        counts: Published values of `Dataset.counts`, by name.
        splits: Number of splits into training and test people, over which results are averaged.
    """

    counts: Mapping[str, int]
    splits: int


@dataclass(frozen=True)
class DatasetInfo:
    """Published facts of a dataset.

    Attributes:
        name: As in `read_dataset`.
        title: Its name as its authors write it.
        paper: Where it was published.
        home: Where to request or download it.
        layout: The folders and files that are read, as a tree.
        note: Further advice to users; empty for most.
        versions: Versions by name; the first is the default.
    """

    name: str
    title: str
    paper: str
    home: str
    layout: str
    note: str
    versions: Mapping[str, DatasetVersion]


class DatasetCountError(ValueError):
    """The counts of a read dataset differ from the published ones."""


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
    """Return the names of the datasets that `read_dataset` reads.

    Example:
        >>> list_datasets()[:3]
        ['market1501', 'dukemtmcreid', 'msmt17']
    """
    return list(_table())


def dataset_info(name: str) -> DatasetInfo:
    """Return the published facts of a dataset: counts, versions, splits, layout, home page.

    Args:
        name: One of `list_datasets()`.

    Raises:
        ValueError: There is no such dataset.

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
    """Compare the counts of a dataset with the published ones.

    Args:
        dataset: As `read_dataset` returns it.
        folder: Where it was read from, for the error.

    Raises:
        DatasetCountError: A count differs; the error names each with both numbers.
        ValueError: The dataset is not one of `list_datasets()`.
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
            f"missing or were added: {'; '.join(wrong)}. `check=False` reads it anyway. "
            f"Received: {os.fspath(folder)}"
        )
