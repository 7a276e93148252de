"""The small datasets, whose results are averaged over ten splits: VIPeR, GRID, PRID, iLIDS."""

import re
from dataclasses import replace
from pathlib import Path

from keras_osnet.data.datasets._files import find_root, load_mat, match_name
from keras_osnet.data.datasets.splits import halves, hash_shuffle
from keras_osnet.data.list_images import list_images
from keras_osnet.data.records import PersonImage, ReidDataset

_VIPER_NAME = re.compile(r"(\d+)_")
_GRID_NAME = re.compile(r"(\d+)_(\d+)_")
_PRID_NAME = re.compile(r"person_(\d+)\.")
_ILIDS_NAME = re.compile(r"(\d{4})\d{3}\.")

_GRID_PARTITIONS = "features_and_partitions.mat"

_GRID_TRAIN_FIELD = 2
"""Of the fields of a partition, in the order of the file, the one that lists training people."""

_PRID_SHARED = 200
"""People 1 to 200 are seen by both cameras. From 201 on, the same number in the two folders is
two different people."""


def read_viper(folder: Path, version: str, split: int) -> ReidDataset:
    """Read VIPeR, one image per person and camera; a random half of the people is for training.

    Version "a-to-b" searches images of camera a among those of camera b, "b-to-a" the other way
    round; results are averaged over the splits, by some authors over both versions as well.
    """
    root = find_root(folder, "viper", ("cam_a", "cam_b"))
    images = [
        PersonImage(path, int(match_name(path, _VIPER_NAME, "000_45.bmp")[1]), camera)
        for camera, name in enumerate(("cam_a", "cam_b"), start=1)
        for path in list_images(root / name)
    ]
    return two_view_split("viper", images, version, split)


def two_view_split(name: str, images: list[PersonImage], version: str, split: int) -> ReidDataset:
    """Divide images of two cameras: half of the people for training, the others for testing.

    Args:
        name: Name of the dataset.
        images: All images, of cameras 1 ("a") and 2 ("b").
        version: "a-to-b" or "b-to-a".
        split: Index of the random division.
    """
    train, _ = halves(sorted({image.identity for image in images}), f"{name} {split}")
    query_camera = 1 if version == "a-to-b" else 2
    test = [image for image in images if image.identity not in train]
    return ReidDataset(
        name=name,
        train=tuple(image for image in images if image.identity in train),
        query=tuple(image for image in test if image.camera == query_camera),
        gallery=tuple(image for image in test if image.camera != query_camera),
        version=version,
    )


def read_grid(folder: Path, version: str, split: int) -> ReidDataset:
    """Read QMUL GRID in its authors' splits; its 775 strangers (identity 0) are in the gallery."""
    root = find_root(folder, "grid", ("probe", "gallery", _GRID_PARTITIONS))
    train = _grid_train_identities(root / _GRID_PARTITIONS, split)
    probe, gallery = _read_grid_images(root / "probe"), _read_grid_images(root / "gallery")
    return ReidDataset(
        name="grid",
        train=tuple(image for image in probe + gallery if image.identity in train),
        query=tuple(image for image in probe if image.identity not in train),
        gallery=tuple(image for image in gallery if image.identity not in train),
        version=version,
    )


def _read_grid_images(folder: Path) -> list[PersonImage]:
    images = []
    for path in list_images(folder):
        match = match_name(path, _GRID_NAME, "0001_1_25023_204_16_107_274.jpeg")
        identity = int(match[1])
        images.append(PersonImage(path, identity, int(match[2]), distractor=identity == 0))
    return images


def _grid_train_identities(path: Path, split: int) -> frozenset[int]:
    """Return the training people of one of the authors' partitions."""
    content = load_mat(path)
    try:
        partition = content["trainIdxAll"].ravel()[split].ravel()[0]
        return frozenset(partition[_GRID_TRAIN_FIELD].ravel().tolist())
    except (KeyError, IndexError, AttributeError, TypeError) as error:
        raise ValueError(
            f"Cannot find partition {split} in the file: {error!r}. Received: {path}"
        ) from error


def read_prid(folder: Path, version: str, split: int) -> ReidDataset:
    """Read PRID 2011, single-shot: one image per person and camera.

    A random half of the 200 shared people is for training. The others are searched, from camera a,
    among all further people of camera b. People seen by camera a alone are not used.
    """
    root = find_root(folder, "prid", ("single_shot/cam_a", "single_shot/cam_b"))
    camera_a = _read_prid_images(root, "cam_a", 1)
    seen_by_a = [image for image in camera_a if image.identity <= _PRID_SHARED]
    seen_by_b = [
        replace(image, distractor=image.identity > _PRID_SHARED)
        for image in _read_prid_images(root, "cam_b", 2)
    ]
    train, _ = halves(range(1, _PRID_SHARED + 1), f"prid {split}")
    return ReidDataset(
        name="prid",
        train=tuple(image for image in seen_by_a + seen_by_b if image.identity in train),
        query=tuple(image for image in seen_by_a if image.identity not in train),
        gallery=tuple(image for image in seen_by_b if image.identity not in train),
        unused=tuple(image for image in camera_a if image.identity > _PRID_SHARED),
        version=version,
    )


def _read_prid_images(root: Path, name: str, camera: int) -> list[PersonImage]:
    return [
        PersonImage(path, int(match_name(path, _PRID_NAME, "person_0001.png")[1]), camera)
        for path in list_images(root / "single_shot" / name)
    ]


def read_ilids(folder: Path, version: str, split: int) -> ReidDataset:
    """Read QMUL iLIDS, without cameras; a random half of the people is for training.

    Two images of each other person are drawn: a query and its match.
    """
    root = find_root(folder, "ilids", ("Persons",))
    images: dict[int, list[PersonImage]] = {}
    for path in list_images(root / "Persons"):
        identity = int(match_name(path, _ILIDS_NAME, "0001001.jpg")[1])
        images.setdefault(identity, []).append(PersonImage(path, identity, None))
    train, test = halves(sorted(images), f"ilids {split}")
    drawn = [hash_shuffle(images[one], f"ilids {split} {one}") for one in sorted(test)]
    return ReidDataset(
        name="ilids",
        train=tuple(image for one in sorted(train) for image in images[one]),
        query=tuple(image for own in drawn for image in own[:1]),
        gallery=tuple(image for own in drawn for image in own[1:2]),
        unused=tuple(image for own in drawn for image in own[2:]),
        version=version,
    )
