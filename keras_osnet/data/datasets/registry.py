"""Reading a dataset by its name."""

import os
from collections.abc import Callable
from pathlib import Path

from keras_osnet._utils.checks import path_of
from keras_osnet.data.datasets import cuhk, labeled_images, market1501, small_datasets
from keras_osnet.data.datasets.published import check_counts, dataset_info
from keras_osnet.data.records import Dataset

_READERS: dict[str, Callable[[Path, str], Dataset]] = {
    "market1501": market1501.read_market1501,
    "dukemtmcreid": market1501.read_dukemtmcreid,
    "msmt17": market1501.read_msmt17,
    "cuhk02": cuhk.read_cuhk02,
    "pa100k": labeled_images.read_pa100k,
    "cifar10": labeled_images.read_cifar10,
    "cifar100": labeled_images.read_cifar100,
    "imagenet": labeled_images.read_imagenet,
}
"""Each takes the user's folder and an existing version."""

_SPLIT_READERS: dict[str, Callable[[Path, str, int], Dataset]] = {
    "cuhk03": cuhk.read_cuhk03,
    "cuhk01": cuhk.read_cuhk01,
    "viper": small_datasets.read_viper,
    "grid": small_datasets.read_grid,
    "prid": small_datasets.read_prid,
    "ilids": small_datasets.read_ilids,
}
"""Each takes the user's folder, an existing version and an existing split."""


def read_dataset(
    name: str,
    folder: str | os.PathLike[str],
    *,
    version: str | None = None,
    split: int = 0,
    check: bool = True,
) -> Dataset:
    """Read a dataset from a folder that you have; nothing is downloaded.

    The folder may be the dataset's own, or one that it was unpacked into. The counts of images and
    people are compared with the published ones.

    | name | versions, the default first | splits |
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

    Files are read by `read_image`, and so turned as their EXIF orientation says, which torchreid
    and torchvision do not: it matters for the few photos of ImageNet that have one. The images in a
    file of CIFAR are taken as they are stored.

    Args:
        name: One of `list_datasets()`.
        folder: The dataset's folder; `dataset_info(name).layout` shows its expected content. For
            CIFAR, also an `.npz` file of JPEG images.
        version: Version or protocol; None is the default.
        split: Index of the split into training and test people.
        check: Whether the counts must be the published ones. False reads a part of a dataset, or a
            modified one; as "imagenet", any images in train/CLASS/ and val/CLASS/.

    Returns:
        A `ReidDataset`; of PA-100K an `AttributeDataset`, of CIFAR and ImageNet a
        `ClassificationDataset`, whose images are an array (CIFAR) or files (ImageNet).

    Raises:
        FileNotFoundError: `folder` does not exist, or files are missing in it.
        NotADirectoryError: `folder` is a file.
        DatasetCountError: Images or people are missing, or there are too many.
        ValueError: There is no such name, version or split, or files are damaged.
        ImportError: A package that reads the dataset's files is missing.
    """
    version, splits = _version(name, version)
    if not 0 <= split < splits:
        raise ValueError(
            f"`split` must be from 0 to {splits - 1} for {name!r}, version {version!r}. "
            f"Received: {split}"
        )
    if name in _SPLIT_READERS:
        dataset = _SPLIT_READERS[name](path_of("folder", folder), version, split)
    else:
        dataset = _READERS[name](path_of("folder", folder), version)
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
        The dataset once per split; a single one if it has no splits.

    Raises:
        OSError, ValueError, ImportError: As `read_dataset`.
    """
    version, splits = _version(name, version)
    return [
        read_dataset(name, folder, version=version, split=split, check=check)
        for split in range(splits)
    ]


def _version(name: str, version: str | None) -> tuple[str, int]:
    """Return the version to read and its number of splits."""
    versions = dataset_info(name).versions
    if version is None:
        version = next(iter(versions))
    if version not in versions:
        raise ValueError(
            f"`version` of {name!r} must be one of {', '.join(versions)}. Received: {version!r}"
        )
    return version, versions[version].splits
