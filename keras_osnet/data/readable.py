"""Datasets without the images that cannot be read."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from keras_osnet._utils.text import shorten
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.data.images import ImageReadError
from keras_osnet.data.list_images import describe_reasons
from keras_osnet.data.load_images import find_unreadable
from keras_osnet.data.records import (
    AttributeImages,
    ClassificationDataset,
    Dataset,
    LabeledImages,
    PersonImage,
    ReidDataset,
)

_Dataset = TypeVar("_Dataset", bound=Dataset)


def readable(dataset: _Dataset) -> _Dataset:
    """Return a dataset without the images that cannot be read, with a warning that names them.

    Every file is decoded once in a process, so that a damaged one is known before a training of
    hours, and not in the middle of it. Of classes of objects, whose images may be a million, only
    the beginning of each file is read.

    Raises:
        ImageReadError: No image can be read.
    """
    parts = _parts(dataset)
    files = [path for part in parts.values() for path in _paths(part)]
    unreadable = find_unreadable(
        list(dict.fromkeys(files)), decode=not isinstance(dataset, ClassificationDataset)
    )
    if not unreadable:
        return dataset
    if len(unreadable) == len(set(files)):
        raise ImageReadError(unreadable)
    left: Any = {name: _without(part, unreadable) for name, part in parts.items()}
    kept = replace(dataset, **left)
    message = (
        f"{len(unreadable):,} of {len(set(files)):,} images of {dataset.name} cannot be read and "
        f"are left out: {describe_reasons({str(path): why for path, why in unreadable.items()})}."
    )
    if isinstance(dataset, ReidDataset) and isinstance(kept, ReidDataset):
        there = kept.identity_names
        lost = [name for one, name in dataset.identity_names.items() if one not in there]
        if lost:
            message += f" No image is left of {shorten(lost)}."
    warn_user(message)
    return kept


def _parts(dataset: Dataset) -> dict[str, Sequence[PersonImage] | AttributeImages | LabeledImages]:
    if isinstance(dataset, ReidDataset):
        names: tuple[str, ...] = ("train", "validation", "query", "gallery")
    else:
        names = tuple(each for each in ("train", "validation", "test") if hasattr(dataset, each))
    return {name: getattr(dataset, name) for name in names}


def _paths(part: Sequence[PersonImage] | AttributeImages | LabeledImages) -> Sequence[Path]:
    if isinstance(part, AttributeImages):
        return part.paths
    if isinstance(part, LabeledImages):
        return part.images if isinstance(part.images, tuple) else ()
    return [image.path for image in part]


def _without(
    part: Sequence[PersonImage] | AttributeImages | LabeledImages, unreadable: dict[Path, str]
) -> Sequence[PersonImage] | AttributeImages | LabeledImages:
    rows = [row for row, path in enumerate(_paths(part)) if path not in unreadable]
    if isinstance(part, AttributeImages):
        return AttributeImages(tuple(part.paths[row] for row in rows), part.attributes[rows])
    if isinstance(part, LabeledImages):
        if not isinstance(part.images, tuple):
            return part
        return LabeledImages(tuple(part.images[row] for row in rows), part.labels[rows])
    return tuple(part[row] for row in rows)
