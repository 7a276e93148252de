"""CIFAR-10, CIFAR-100 and ImageNet, or any images in a folder for each class; and PA-100K."""

import io
import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.files import read_bytes
from keras_osnet._utils.text import decode_text, shorten
from keras_osnet.data.datasets._files import find_root, load_mat, require_files
from keras_osnet.data.datasets.published import dataset_info
from keras_osnet.data.images import require_pillow
from keras_osnet.data.list_images import is_image_name, is_system_name, list_images
from keras_osnet.data.records import (
    AttributeDataset,
    AttributeImages,
    ClassificationDataset,
    LabeledImages,
)

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_LARGEST = 1 << 30

_NO_PICKLES = (
    "The binary version is read. The Python version is not: it consists of pickles, and a pickle "
    "can run code when it is opened."
)


def read_cifar10(folder: Path, version: str) -> ClassificationDataset:
    """Read CIFAR-10 from `cifar-10-batches-bin`, or from an `.npz` file of JPEG images."""
    if folder.is_file():
        return _read_jpeg_file("cifar10", folder, version)
    train = [f"data_batch_{number}.bin" for number in range(1, 6)]
    return _read_binary(
        "cifar10", folder, version, train, test="test_batch.bin", names="batches.meta.txt", labels=1
    )


def read_cifar100(folder: Path, version: str) -> ClassificationDataset:
    """Read CIFAR-100 with its 100 fine classes, from `cifar-100-binary` or an `.npz` file."""
    if folder.is_file():
        return _read_jpeg_file("cifar100", folder, version)
    return _read_binary(
        "cifar100",
        folder,
        version,
        train=["train.bin"],
        test="test.bin",
        names="fine_label_names.txt",
        labels=2,
    )


def _read_binary(
    name: str, folder: Path, version: str, train: list[str], test: str, names: str, labels: int
) -> ClassificationDataset:
    """Read records of `labels` bytes, of which the last counts, and red, green and blue planes."""
    root = find_root(folder, name, (*train, test, names), hint=_NO_PICKLES)
    classes = tuple(decode_text(read_bytes(root / names, 1 << 20), str(root / names)).split())
    records = {}
    for file in (*train, test):
        content = np.frombuffer(read_bytes(root / file, _LARGEST), np.uint8)
        if content.size == 0 or content.size % (labels + _PIXELS):
            raise ValueError(
                f"A file of {dataset_info(name).title} is made of records of {labels + _PIXELS} "
                f"bytes. Received: {root / file} of {content.size:,} bytes"
            )
        records[file] = content.reshape(-1, labels + _PIXELS)

    def labeled(content: NDArray[np.uint8]) -> LabeledImages:
        planes = content[:, labels:].reshape(-1, 3, _SIDE, _SIDE)
        return _labeled(
            np.ascontiguousarray(planes.transpose(0, 2, 3, 1)),
            content[:, labels - 1],
            classes,
            root,
        )

    return ClassificationDataset(
        name=name,
        classes=classes,
        train=labeled(np.concatenate([records[file] for file in train])),
        test=labeled(records[test]),
        version=version,
    )


def _read_jpeg_file(name: str, path: Path, version: str) -> ClassificationDataset:
    """Read an `.npz` file of `classes`, and of `jpeg`, `offset` and `label` for both parts.

    Decoding takes about 0.1 ms per image, some seconds in all.

    `train_jpeg` holds the concatenated files as bytes, `train_offset` the start of each and, last,
    the end of the last one.
    """
    require_pillow()
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {key: content[key] for key in content.files}
        classes = tuple(str(one) for one in arrays["classes"])
        decoded = {
            part: (
                _decode(arrays[f"{part}_jpeg"], arrays[f"{part}_offset"]),
                arrays[f"{part}_label"],
            )
            for part in ("train", "test")
        }
    # Broken files give errors of every kind: numpy's, zipfile's, zlib's, Pillow's.
    except Exception as error:
        raise ValueError(
            f"Not a file of JPEG images of {dataset_info(name).title}: {error}. {_NO_PICKLES} "
            f"Received: {path}"
        ) from error
    return ClassificationDataset(
        name=name,
        classes=classes,
        train=_labeled(*decoded["train"], classes, path),
        test=_labeled(*decoded["test"], classes, path),
        version=version,
    )


def _decode(content: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Decode concatenated JPEG files."""
    pillow = require_pillow()
    images = np.empty((len(offsets) - 1, _SIDE, _SIDE, 3), np.uint8)
    for index, (start, stop) in enumerate(itertools.pairwise(offsets)):
        with pillow.open(io.BytesIO(content[start:stop].tobytes()), formats=("JPEG",)) as image:
            if image.size != (_SIDE, _SIDE):
                raise ValueError(f"image {index} is {image.width}x{image.height}")
            images[index] = np.asarray(image.convert("RGB"))
    return images


def _labeled(
    images: NDArray[np.uint8], labels: NDArray, classes: tuple[str, ...], source: Path
) -> LabeledImages:
    """Return images with their labels, or raise ValueError if they do not fit together."""
    if len(labels) != len(images) or (len(labels) and labels.max() >= len(classes)):
        raise ValueError(
            f"There must be a label below {len(classes)} for each of {len(images):,} images. "
            f"Received: {len(labels):,} labels up to {labels.max(initial=0)} in {source}"
        )
    return LabeledImages(images, labels.astype(np.int64))


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
        if is_system_name(path.name):
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
