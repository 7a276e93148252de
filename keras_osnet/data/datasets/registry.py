"""Reading a dataset by its name."""

import os
from collections.abc import Callable
from pathlib import Path

from keras_osnet.data.datasets import (
    cifar,
    cuhk,
    cuhk03,
    grid,
    ilids,
    imagenet,
    market,
    msmt17,
    pa100k,
    prid,
    viper,
)
from keras_osnet.data.datasets.published import check_counts, dataset_info
from keras_osnet.data.datasets.records import Dataset

_READERS: dict[str, Callable[[Path, str], Dataset]] = {
    "market1501": market.read_market1501,
    "dukemtmcreid": market.read_dukemtmcreid,
    "msmt17": msmt17.read_msmt17,
    "cuhk02": cuhk.read_cuhk02,
    "pa100k": pa100k.read_pa100k,
    "cifar10": cifar.read_cifar10,
    "cifar100": cifar.read_cifar100,
    "imagenet": imagenet.read_imagenet,
}
"""Each takes the user's folder and a version that exists."""

_SPLIT_READERS: dict[str, Callable[[Path, str, int], Dataset]] = {
    "cuhk03": cuhk03.read_cuhk03,
    "cuhk01": cuhk.read_cuhk01,
    "viper": viper.read_viper,
    "grid": grid.read_grid,
    "prid": prid.read_prid,
    "ilids": ilids.read_ilids,
}
"""Each takes the user's folder, a version that exists and a split that exists."""


def read_dataset(
    name: str,
    folder: str | os.PathLike[str],
    *,
    version: str | None = None,
    split: int = 0,
    check: bool = True,
) -> Dataset:
    """Read a dataset from a folder that you have; nothing is downloaded.

    The folder may be the dataset's own, or one that it was unpacked into. What is in it is
    compared with what was published.

    | name | versions, the usual one first | splits |
    | --- | --- | --- |
    | market1501 | standard, 500k | |
    | dukemtmcreid | standard | |
    | msmt17 | v1, v2 | |
    | cuhk03 | detected, labeled, classic-detected, classic-labeled | classic: 20 |
    | cuhk01, viper | a-to-b, b-to-a | 10 |
    | cuhk02 | standard | |
    | grid, prid, ilids | standard | 10 |
    | pa100k, cifar10, cifar100, imagenet | standard | |

    The splits of CUHK03 and GRID are their authors'. Those of CUHK01, VIPeR, PRID and iLIDS are
    random, the same at every call and on every machine; torchreid draws its own on each machine.

    Args:
        name: One of `list_datasets()`.
        folder: Where the dataset is; `dataset_info(name).layout` shows what is expected. For
            CIFAR, an `.npz` file of JPEG pictures will do as well.
        version: Version or protocol; None is the usual one.
        split: Which division into people to train on and people to test on, from 0.
        check: Whether what is found has to be what was published. False reads a part of a
            dataset, or a changed one; as "imagenet", any pictures in train/CLASS/ and val/CLASS/.

    Returns:
        A `ReidDataset`; of PA-100K an `AttributeDataset`, of CIFAR and ImageNet a
        `ClassificationDataset`, whose pictures are an array (CIFAR) or files (ImageNet).

    Raises:
        FileNotFoundError: If `folder` or what belongs in it is not there.
        NotADirectoryError: If `folder` is a file.
        DatasetCountError: If images or people are missing, or there are too many.
        ValueError: If there is no such name, version or split, or files are not what they are
            named after.
        ImportError: If a package is missing that reads the dataset's files.
    """
    version, splits = _version(name, version)
    if not 0 <= split < splits:
        raise ValueError(
            f"`split` must be from 0 to {splits - 1} for {name!r}, version {version!r}. "
            f"Received: {split}"
        )
    if name in _SPLIT_READERS:
        dataset = _SPLIT_READERS[name](Path(folder), version, split)
    else:
        dataset = _READERS[name](Path(folder), version)
    if check:
        check_counts(dataset, folder)
    return dataset


def read_splits(
    name: str, folder: str | os.PathLike[str], *, version: str | None = None, check: bool = True
) -> list[Dataset]:
    """Read all splits of a dataset, over which results are averaged.

    Args:
        name: One of `list_datasets()`.
        folder: As for `read_dataset`.
        version: As for `read_dataset`.
        check: As for `read_dataset`.

    Returns:
        The dataset once for each split; one of a dataset that has no splits.

    Raises:
        OSError, ValueError, ImportError: As `read_dataset`.
    """
    version, splits = _version(name, version)
    return [
        read_dataset(name, folder, version=version, split=split, check=check)
        for split in range(splits)
    ]


def _version(name: str, version: str | None) -> tuple[str, int]:
    """The version to read, and how many splits it has."""
    versions = dataset_info(name).versions
    if version is None:
        version = next(iter(versions))
    if version not in versions:
        raise ValueError(
            f"`version` of {name!r} must be one of {', '.join(versions)}. Received: {version!r}"
        )
    return version, versions[version].splits
