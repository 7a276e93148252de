"""VIPeR: everybody once under each of two cameras."""

import re
from pathlib import Path

from keras_osnet.data.datasets.layout import find_root, match_name
from keras_osnet.data.datasets.records import ReidDataset
from keras_osnet.data.datasets.shuffling import halves
from keras_osnet.data.images import list_images
from keras_osnet.data.records import PersonImage

_NAME = re.compile(r"(\d+)_")


def read_viper(folder: Path, version: str, split: int) -> ReidDataset:
    """Read VIPeR; half of the people, chosen at random for each split, are to train on.

    Version "a-to-b" looks for pictures of camera a among those of camera b, "b-to-a" the other
    way round; results are averaged over the splits, by some over both versions as well.
    """
    root = find_root(folder, "viper", ("cam_a", "cam_b"))
    images = [
        PersonImage(path, int(match_name(path, _NAME, "000_45.bmp")[1]), camera)
        for camera, name in enumerate(("cam_a", "cam_b"), start=1)
        for path in list_images(root / name)
    ]
    return two_view_split("viper", images, version, split)


def two_view_split(name: str, images: list[PersonImage], version: str, split: int) -> ReidDataset:
    """Divide pictures of two cameras: half of the people to train on, the others to look for.

    Args:
        name: The dataset's.
        images: All pictures, of cameras 1 ("a") and 2 ("b").
        version: "a-to-b" or "b-to-a".
        split: Which random division.
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
