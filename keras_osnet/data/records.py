"""The records that datasets consist of: images with labels, divided into parts."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.files import atomic_path


@dataclass(frozen=True)
class PersonImage:
    """An image of a person with its labels.

    Attributes:
        path: The file.
        identity: The person.
        camera: The camera, from 1; None if it is not known.
        name: The person's name in a user's folder or table; None if there is only `identity`. Not
            considered when images are compared.
        distractor: Whether the person matches no query, as identity 0 of Market-1501.
    """

    path: Path
    identity: int
    camera: int | None
    name: str | None = field(default=None, compare=False)
    distractor: bool = False


@dataclass(frozen=True)
class ReidDataset:
    """Images of people, divided for training and for retrieval.

    An identity is the same person in all parts; `train_labels` has the classifier's numbers.

    Attributes:
        name: As in `list_datasets()`, or that of the folder, table or datasets it was made from.
        train: Training images.
        query: Queries.
        gallery: Images that the queries are searched in.
        validation: More images of the training people, where the dataset sets some aside.
        unused: Images of the dataset that its protocol, or this split, leaves out.
        single_gallery_shot: Whether the protocol draws one gallery image per person, many times,
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
        """The images of all parts, each once: some protocols have queries in the gallery."""
        parts = (*self.train, *self.validation, *self.query, *self.gallery)
        return tuple({image.path: image for image in parts}.values())

    @property
    def distractors(self) -> frozenset[int]:
        """Identities that are no single person or match no query.

        They only make the ranking harder; `combineall` leaves them out.
        """
        return frozenset(image.identity for image in self.all_images if image.distractor)

    @property
    def identity_names(self) -> dict[int, str]:
        """The name of each person in the folder or table, else the identity as text.

        `[names[identity] for identity in dataset.train_identities]` are the classifier's classes.
        """
        images = sorted(self.all_images, key=lambda image: image.identity)
        return dict(zip((image.identity for image in images), person_names(images), strict=True))

    @property
    def train_identities(self) -> tuple[int, ...]:
        """The training people in ascending order; a label is an index into it."""
        return tuple(sorted({image.identity for image in self.train}))

    @property
    def train_labels(self) -> NDArray[np.int64]:
        """The classifier's label, 0 to people - 1, of each image of `train`; array (images,)."""
        identities = [image.identity for image in self.train]
        return np.searchsorted(np.array(self.train_identities, np.int64), identities)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of images and identities by part, and of all together.

        Distractors do not count as identities, nor do people who are in unused images only; these
        do count as images.
        """
        counts = {}
        for part in ("train", "validation", "query", "gallery"):
            own = getattr(self, part)
            counts[f"{part}_identities"] = len({image.identity for image in own})
            counts[f"{part}_images"] = len(own)
        images = self.all_images
        return {
            **counts,
            "identities": len({image.identity for image in images} - self.distractors),
            "images": len(images) + len(self.unused),
            "cameras": len({image.camera for image in images} - {None}),
        }


@dataclass(frozen=True, eq=False)
class AttributeImages:
    """Image files with their attributes.

    Attributes:
        paths: The n files.
        attributes: Array (n, attributes), uint8: 1 where the image shows the attribute, else 0.
    """

    paths: tuple[Path, ...]
    attributes: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class AttributeDataset:
    """Images labeled with attributes.

    Attributes:
        name: As in `list_datasets()`, or that of the folder, table or datasets it was made from.
        attribute_names: One for each column.
        train: Training images.
        validation: Images for choosing hyperparameters.
        test: Images for reporting.
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
    """Images and their classes.

    Attributes:
        images: Small ones, as CIFAR's, in memory: array (n, height, width, 3), uint8, RGB. Others,
            as ImageNet's, as the n files.
        labels: Array (n,), int64, from 0.
    """

    images: NDArray[np.uint8] | tuple[Path, ...]
    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClassificationDataset:
    """Images of classes of objects.

    Attributes:
        name: As in `list_datasets()`.
        classes: Name of each label.
        train: Training images.
        test: Images for reporting.
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


@dataclass(frozen=True, eq=False)
class EmbeddedImages:
    """The embeddings of the readable images of a list of files.

    Attributes:
        vectors: Array (n, dim), float32.
        paths: The n files, in the order of the rows.
        unreadable: The other files, with the reason for each.
    """

    vectors: NDArray[np.float32]
    paths: list[Path]
    unreadable: dict[Path, str]

    def vectors_of(self, images: Iterable[PersonImage]) -> NDArray[np.float32]:
        """Return the embeddings of some of the images, (images, dim).

        Raises:
            KeyError: An image was not embedded.
        """
        rows = {path: row for row, path in enumerate(self.paths)}
        return self.vectors[[rows[image.path] for image in images]]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `vectors` and `names` (the paths as text) to an `.npz` file, whole or not at all.

        Raises:
            ValueError: The path does not end in `.npz`.
            FileNotFoundError: The folder does not exist.
        """
        if not os.fspath(path).endswith(".npz"):
            raise ValueError(f"`path` must end in .npz. Received: {os.fspath(path)}")
        names = np.array([file.as_posix() for file in self.paths], np.str_)
        with atomic_path(path) as temporary:
            np.savez(temporary, vectors=self.vectors, names=names)


def identity_labels(images: Iterable[PersonImage]) -> NDArray[np.int64]:
    """Return the identities of images as an array (images,)."""
    return np.array([image.identity for image in images], np.int64)


def person_names(images: Iterable[PersonImage]) -> list[str]:
    """Return the name of the person on each image, or the identity as text."""
    return [image.name or str(image.identity) for image in images]


def camera_labels(images: Sequence[PersonImage]) -> NDArray[np.int64] | None:
    """Return the cameras of images as an array (images,), or None if one of them is not known.

    With None, an evaluation cannot ignore images from the query's own camera.
    """
    cameras = [image.camera for image in images if image.camera is not None]
    return np.array(cameras, np.int64) if len(cameras) == len(images) else None


def ranking_labels(
    query: Sequence[PersonImage], gallery: Sequence[PersonImage]
) -> tuple[
    NDArray[np.int64], NDArray[np.int64], NDArray[np.int64] | None, NDArray[np.int64] | None
]:
    """Return the labels of queries and gallery in the order in which rankings take them.

    Returns:
        Identities of the queries and of the gallery; then their cameras, or None twice: with one
        unknown camera, the same-camera rule cannot be applied.
    """
    identities = identity_labels(query), identity_labels(gallery)
    cameras = camera_labels(query), camera_labels(gallery)
    if cameras[0] is None or cameras[1] is None:
        return *identities, None, None
    return *identities, *cameras
