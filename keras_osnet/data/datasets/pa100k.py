"""PA-100K: 100,000 images of pedestrians with 26 attributes each."""

from pathlib import Path

import numpy as np

from keras_osnet.data.datasets._files import find_root, load_mat, require_files
from keras_osnet.data.records import AttributeDataset, AttributeImages

_ANNOTATION = ("annotation/annotation.mat", "annotation.mat")

_IMAGE_FOLDERS = (
    "data/release_data/release_data",
    "release_data/release_data",
    "data/release_data",
    "release_data",
    "data",
)
"""Possible image folders, the innermost first, as the archive has nested folders."""


def read_pa100k(folder: Path, version: str) -> AttributeDataset:
    """Read PA-100K, its attributes named and ordered as in the annotation file."""
    root = find_root(folder, "pa100k", (_ANNOTATION, _IMAGE_FOLDERS))
    annotation = next(root / name for name in _ANNOTATION if (root / name).is_file())
    folder = next(root / name for name in _IMAGE_FOLDERS if (root / name).is_dir())
    content = load_mat(annotation)
    try:
        names = tuple(str(row.item()) for row in content["attributes"].ravel())
        train, validation, test = (
            AttributeImages(
                paths=tuple(
                    folder / str(row.item()) for row in content[f"{part}_images_name"].ravel()
                ),
                attributes=content[f"{part}_label"].astype(np.uint8),
            )
            for part in ("train", "val", "test")
        )
    except (KeyError, AttributeError, ValueError) as error:
        raise ValueError(
            f"Cannot read the annotations of PA-100K: {error!r}. Received: {annotation}"
        ) from error
    for part in (train, validation, test):
        expected = (len(part.paths), len(names))
        if part.attributes.shape != expected:
            raise ValueError(
                f"Labels must be of shape {expected}, images by attributes. Received: "
                f"{part.attributes.shape} in {annotation}"
            )
        require_files(part.paths, named_in=annotation)
    return AttributeDataset("pa100k", names, train, validation, test, version)
