"""QMUL GRID: pairs of pictures from an underground station, and 775 strangers."""

import re
from pathlib import Path

from keras_osnet.data.datasets.layout import find_root, match_name
from keras_osnet.data.datasets.optional import load_mat
from keras_osnet.data.datasets.records import ReidDataset
from keras_osnet.data.images import list_images
from keras_osnet.data.records import PersonImage

_NAME = re.compile(r"(\d+)_(\d+)_")
_PARTITIONS = "features_and_partitions.mat"

_TRAIN_FIELD = 2
"""Of the fields of a partition, in the order of the file, the one that lists training people."""


def read_grid(folder: Path, version: str, split: int) -> ReidDataset:
    """Read GRID, divided as its authors divided it; strangers (identity 0) are in the gallery."""
    root = find_root(folder, "grid", ("probe", "gallery", _PARTITIONS))
    train = _train_identities(root / _PARTITIONS, split)
    probe, gallery = _read_images(root / "probe"), _read_images(root / "gallery")
    return ReidDataset(
        name="grid",
        train=tuple(image for image in probe + gallery if image.identity in train),
        query=tuple(image for image in probe if image.identity not in train),
        gallery=tuple(image for image in gallery if image.identity not in train),
        version=version,
    )


def _read_images(folder: Path) -> list[PersonImage]:
    images = []
    for path in list_images(folder):
        match = match_name(path, _NAME, "0001_1_25023_204_16_107_274.jpeg")
        identity = int(match[1])
        images.append(PersonImage(path, identity, int(match[2]), distractor=identity == 0))
    return images


def _train_identities(path: Path, split: int) -> frozenset[int]:
    """The people to train on in one of the authors' partitions."""
    content = load_mat(path)
    try:
        partitions = content["trainIdxAll"]
        partition = partitions.ravel()[split].ravel()[0]
        return frozenset(partition[_TRAIN_FIELD].ravel().tolist())
    except (KeyError, IndexError, AttributeError, TypeError) as error:
        raise ValueError(
            f"Cannot find partition {split} in the file: {error!r}. Received: {path}"
        ) from error
