"""ImageNet, or any pictures in a folder for each class."""

from pathlib import Path

import numpy as np

from keras_osnet.data.datasets.layout import find_root, shorten
from keras_osnet.data.datasets.published import dataset_info
from keras_osnet.data.datasets.records import ClassificationDataset, LabeledImages
from keras_osnet.data.images import is_picture, list_images

_UNSORTED = (
    "The validation pictures of ImageNet come without folders: sort each into a folder named after "
    "its class, as those of train are (the usual script is valprep.sh)."
)


def read_imagenet(folder: Path, version: str) -> ClassificationDataset:
    """Read ImageNet from train/WNID/ and val/WNID/, its classes in the order of their WNIDs."""
    root = find_root(folder, "imagenet", ("train", "val"))
    folders = {part: _class_folders(root / part) for part in ("train", "val")}
    classes = tuple(folders["train"])
    strange = sorted(set(folders["val"]) - set(classes))
    if strange:
        raise ValueError(
            f"Every class of val must be one of train. Received: {root / 'val'} with "
            f"{shorten(strange)}"
        )
    label = {name: number for number, name in enumerate(classes)}

    def labelled(part: str) -> LabeledImages:
        images = {name: list_images(place) for name, place in folders[part].items()}
        labels = [label[name] for name in images]
        return LabeledImages(
            tuple(path for own in images.values() for path in own),
            np.repeat(np.array(labels, np.int64), [len(own) for own in images.values()]),
        )

    return ClassificationDataset(
        name="imagenet",
        classes=classes,
        train=labelled("train"),
        test=labelled("val"),
        version=version,
    )


def _class_folders(place: Path) -> dict[str, Path]:
    """The folders in a folder, by name and in its order; ValueError if pictures lie beside them."""
    folders: dict[str, Path] = {}
    files = []
    for path in sorted(place.iterdir(), key=lambda path: path.name):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            folders[path.name] = path
        else:
            files.append(path.name)
    pictures = [name for name in files if is_picture(name)]
    if pictures or not folders:
        raise ValueError(
            f"{place.name} of {dataset_info('imagenet').title} must hold a folder of pictures for "
            f"each class, and no pictures beside them."
            f"{f' {_UNSORTED}' if place.name == 'val' else ''} "
            f"Received: {place} with {len(folders):,} folders and {len(pictures):,} pictures"
            f"{f': {shorten(files)}' if files else ''}"
        )
    return folders
