"""ImageNet, or any images in a folder for each class."""

from pathlib import Path

import numpy as np

from keras_osnet.data.datasets._files import find_root, shorten
from keras_osnet.data.datasets.published import dataset_info
from keras_osnet.data.images import is_image_name, list_images
from keras_osnet.data.records import ClassificationDataset, LabeledImages

_UNSORTED = (
    "The validation images of ImageNet come without folders: sort each into a folder named after "
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

    def labeled(part: str) -> LabeledImages:
        images = {name: list_images(place) for name, place in folders[part].items()}
        labels = [label[name] for name in images]
        return LabeledImages(
            tuple(path for own in images.values() for path in own),
            np.repeat(np.array(labels, np.int64), [len(own) for own in images.values()]),
        )

    return ClassificationDataset(
        name="imagenet",
        classes=classes,
        train=labeled("train"),
        test=labeled("val"),
        version=version,
    )


def _class_folders(place: Path) -> dict[str, Path]:
    """Return the folders in a folder by name, in order; ValueError if images are beside them."""
    folders: dict[str, Path] = {}
    files = []
    for path in sorted(place.iterdir(), key=lambda path: path.name):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            folders[path.name] = path
        else:
            files.append(path.name)
    images = [name for name in files if is_image_name(name)]
    if images or not folders:
        raise ValueError(
            f"{place.name} of {dataset_info('imagenet').title} must hold a folder of images for "
            f"each class, and no images beside them."
            f"{f' {_UNSORTED}' if place.name == 'val' else ''} "
            f"Received: {place} with {len(folders):,} folders and {len(images):,} images"
            f"{f': {shorten(files)}' if files else ''}"
        )
    return folders
