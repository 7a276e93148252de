"""What readers of datasets return: people to find again, attributes of people, small pictures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keras_osnet.data.records import PersonImage


@dataclass(frozen=True)
class ReidDataset:
    """Pictures of people, divided for training and for finding people again.

    An identity is the same person in all parts; `train_labels` has the classifier's numbers.

    Attributes:
        name: As in `list_datasets()`, or what it was made from.
        train: To train on.
        query: Pictures whose people are looked for.
        gallery: Pictures among which they are looked for.
        validation: More pictures of the training people, where the dataset sets some aside.
        unused: Pictures of the dataset that its protocol, or this split, leaves out.
        single_gallery_shot: Whether the protocol draws one gallery picture per person, many times,
            rather than searching the whole gallery (CUHK03's classic splits).
        version: As in `dataset_info(name).versions`; empty where there are none.
    """

    name: str
    train: tuple[PersonImage, ...]
    query: tuple[PersonImage, ...] = ()
    gallery: tuple[PersonImage, ...] = ()
    validation: tuple[PersonImage, ...] = ()
    unused: tuple[PersonImage, ...] = ()
    single_gallery_shot: bool = False
    version: str = ""

    @property
    def all_images(self) -> tuple[PersonImage, ...]:
        """The pictures of all parts, each once: some protocols have queries in the gallery."""
        parts = (*self.train, *self.validation, *self.query, *self.gallery)
        return tuple({image.path: image for image in parts}.values())

    @property
    def distractors(self) -> frozenset[int]:
        """Identities that stand for no one person or are nobody's match.

        They are there to be ranked; training on all parts leaves them out.
        """
        return frozenset(image.identity for image in self.all_images if image.distractor)

    @property
    def identity_names(self) -> dict[int, str]:
        """What each person is called: by a folder or table, else by the number as text.

        `[names[identity] for identity in dataset.train_identities]` are the classifier's classes.
        """
        images = sorted(self.all_images, key=lambda image: image.identity)
        return {image.identity: image.name or str(image.identity) for image in images}

    @property
    def train_identities(self) -> tuple[int, ...]:
        """The training people in ascending order; a label is a place in this row."""
        return tuple(sorted({image.identity for image in self.train}))

    @property
    def train_labels(self) -> NDArray[np.int64]:
        """A classifier's label, 0 to people - 1, for each picture of `train`; array (images,)."""
        identities = [image.identity for image in self.train]
        return np.searchsorted(np.array(self.train_identities, np.int64), identities)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of images and identities by part, and of all together.

        Distractors do not count as identities, nor does who is in unused pictures only; these do
        count as images.
        """
        counts = {}
        for part in ("train", "validation", "query", "gallery"):
            own = getattr(self, part)
            counts[f"{part}_identities"] = len({image.identity for image in own})
            counts[f"{part}_images"] = len(own)
        images = self.all_images
        people = {image.identity for image in images} - self.distractors
        cameras = {image.camera for image in images} - {None}
        return {
            **counts,
            "identities": len(people),
            "images": len(images) + len(self.unused),
            "cameras": len(cameras),
        }


@dataclass(frozen=True, eq=False)
class AttributeImages:
    """Pictures and what is to be seen on them.

    Attributes:
        paths: The n files.
        attributes: Array (n, attributes), uint8: 1 where the picture shows the attribute, else 0.
    """

    paths: tuple[Path, ...]
    attributes: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class AttributeDataset:
    """Pictures labelled with attributes.

    Attributes:
        name: As in `list_datasets()`, or what it was made from.
        attribute_names: One for each column.
        train: To train on.
        validation: To choose by.
        test: To report on.
        version: As in `dataset_info(name).versions`; empty where there are none.
    """

    name: str
    attribute_names: tuple[str, ...]
    train: AttributeImages
    validation: AttributeImages
    test: AttributeImages
    version: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of attributes, and of images by part."""
        return {
            "attributes": len(self.attribute_names),
            "train_images": len(self.train.paths),
            "validation_images": len(self.validation.paths),
            "test_images": len(self.test.paths),
        }


@dataclass(frozen=True, eq=False)
class LabeledImages:
    """Pictures and their classes.

    Attributes:
        images: Small ones, as CIFAR's, in memory: array (n, height, width, 3), uint8, RGB. Else,
            as of ImageNet, the n files.
        labels: Array (n,), int64, from 0.
    """

    images: NDArray[np.uint8] | tuple[Path, ...]
    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClassificationDataset:
    """Pictures of classes of things.

    Attributes:
        name: As in `list_datasets()`.
        classes: Name of each label.
        train: To train on.
        test: To report on.
        version: As in `dataset_info(name).versions`.
    """

    name: str
    classes: tuple[str, ...]
    train: LabeledImages
    test: LabeledImages
    version: str

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of classes, and of images by part."""
        return {
            "classes": len(self.classes),
            "train_images": len(self.train.labels),
            "test_images": len(self.test.labels),
        }


Dataset = ReidDataset | AttributeDataset | ClassificationDataset


def identity_labels(images: Iterable[PersonImage]) -> NDArray[np.int64]:
    """The identities of pictures as an array (images,)."""
    return np.array([image.identity for image in images], np.int64)


def camera_labels(images: Sequence[PersonImage]) -> NDArray[np.int64] | None:
    """The cameras of pictures as an array (images,), or None if one of them is not known.

    With None, an evaluation cannot leave out a query's own camera.
    """
    cameras = [image.camera for image in images if image.camera is not None]
    return np.array(cameras, np.int64) if len(cameras) == len(images) else None


def ranking_labels(
    query: Sequence[PersonImage], gallery: Sequence[PersonImage]
) -> tuple[
    NDArray[np.int64], NDArray[np.int64], NDArray[np.int64] | None, NDArray[np.int64] | None
]:
    """What a ranking needs to know of queries and gallery, in the order that it takes it.

    Returns:
        Identities of the queries and of the gallery; then their cameras, or None twice: one camera
        that is not known makes the rule of the same camera impossible to apply.
    """
    identities = identity_labels(query), identity_labels(gallery)
    cameras = camera_labels(query), camera_labels(gallery)
    if cameras[0] is None or cameras[1] is None:
        return *identities, None, None
    return *identities, *cameras
