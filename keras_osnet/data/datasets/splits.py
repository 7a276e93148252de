"""Division of people into training and test sets, of images into queries and gallery; unions."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from keras_osnet.data.records import PersonImage, ReidDataset

T = TypeVar("T")


def split_by_identity(
    images: Sequence[PersonImage], fraction: float = 0.5, *, seed: int = 0, name: str = "own"
) -> ReidDataset:
    """Hold out a fraction of the people, for a test on people not seen in training.

    One image per camera of each held-out person becomes a query. The others are the gallery, in
    which every query has a match from another camera. If the camera of any image is not known,
    there is one query per person. People without a second camera or image are in the gallery only.

    Args:
        images: The images, without distractors, who would be taken for one person.
        fraction: Share of the people to hold out, between 0 and 1.
        seed: Seed of the choice of people and queries.
        name: Name of the dataset.

    Returns:
        The dataset: the held-out people in `query` and `gallery`, the others in `train`.

    Raises:
        ValueError: `fraction` leaves no people on one side, or no held-out person has images that
            could be found.
    """
    people = sorted({image.identity for image in images})
    count = round(fraction * len(people))
    if not 0 < count < len(people):
        raise ValueError(
            "`fraction` must leave people on both sides. "
            f"Received: {fraction} of {len(people)} people"
        )
    held_out = frozenset(hash_shuffle(people, f"people {seed}")[:count])
    with_cameras = all(image.camera is not None for image in images)
    test = [image for image in images if image.identity in held_out]
    query, gallery = _divided(test, seed, with_cameras)
    if not query:
        raise _nobody_twice("Nobody held out", images, with_cameras)
    return ReidDataset(
        name=name,
        train=tuple(image for image in images if image.identity not in held_out),
        query=tuple(query),
        gallery=tuple(gallery),
    )


def split_queries(
    images: Sequence[PersonImage], *, seed: int = 0
) -> tuple[list[PersonImage], list[PersonImage]]:
    """Choose queries among images of people; the others are the gallery.

    One image per camera of each person becomes a query, or one image per person if the camera of
    any image is not known. People without a second camera or image are in the gallery only.

    Args:
        images: The images, without distractors, who would be taken for one person.
        seed: Seed of the choice.

    Returns:
        (queries, gallery)

    Raises:
        ValueError: No person has an image with a match.

    Example:
        >>> from pathlib import Path
        >>> from keras_osnet.data import PersonImage
        >>> names = ["ann1.jpg", "ann2.jpg", "ann3.jpg", "bob1.jpg"]
        >>> ann_and_bob = [PersonImage(Path(name), int(name < "b"), None) for name in names]
        >>> query, gallery = split_queries(ann_and_bob)
        >>> [image.path.name for image in query], len(gallery)
        (['ann2.jpg'], 3)
    """
    with_cameras = all(image.camera is not None for image in images)
    query, gallery = _divided(images, seed, with_cameras)
    if not query:
        raise _nobody_twice("Nobody", images, with_cameras)
    return query, gallery


def split_by_camera(
    people: Sequence[PersonImage], query_camera: int = 1
) -> tuple[list[PersonImage], list[PersonImage]]:
    """Divide images into queries from one camera and a gallery from the others.

    Distractors, which `read_folder` marks, do not match anyone and are not queries; those of the
    other cameras are in the gallery.

    Args:
        people: The images; see `read_folder`.
        query_camera: Camera of the queries.

    Returns:
        (queries, gallery)

    Raises:
        ValueError: There is no image for one side, or an image's camera is not known.
    """
    unknown = [person.path for person in people if person.camera is None]
    if unknown:
        raise ValueError(
            "`people` must have known cameras to be divided by them. "
            f"Received: {len(unknown)} without one, the first {unknown[0]}"
        )
    queries = [
        person for person in people if person.camera == query_camera and not person.distractor
    ]
    gallery = [person for person in people if person.camera != query_camera]
    if not queries or not gallery:
        cameras = sorted({person.camera for person in people if person.camera is not None})
        raise ValueError(
            "`query_camera` must be one of at least two cameras, and have seen people. Received: "
            f"query_camera={query_camera}, {len(people)} images of cameras {cameras}"
        )
    return queries, gallery


def divide_images(
    images: Sequence[PersonImage], query_camera: int | None = None
) -> tuple[list[PersonImage], list[PersonImage], str]:
    """Divide a user's images into queries and gallery as every test of them does by default.

    If the cameras are known, the images of one camera are the queries and those of the others the
    gallery, so that no image of the query's own camera is in it, neither of the person nor of
    others. Else one image of each person is a query, and all other images are the gallery.

    Args:
        images: The images; distractors are in the gallery only.
        query_camera: Camera of the queries; if not given, the first one that saw a person whom
            another one saw, too.

    Returns:
        (queries, gallery, a description of this division for the reader of the figures)

    Raises:
        ValueError: There are no images for one side, or no query has a match in the gallery.
    """
    people = [image for image in images if not image.distractor]
    if query_camera is None and all(image.camera is not None for image in images):
        seen: dict[int, set[int]] = {}
        for image in people:
            seen.setdefault(image.identity, set()).add(image.camera or 0)
        matched = [min(cameras) for cameras in seen.values() if len(cameras) > 1]
        query_camera = min(matched or [min(cameras) for cameras in seen.values()], default=1)
    if query_camera is None:
        query, gallery = split_queries(people)
        gallery += [image for image in images if image.distractor]
    else:
        query, gallery = split_by_camera(images, query_camera)
    if {image.identity for image in query}.isdisjoint(image.identity for image in gallery):
        raise _nobody_twice("Nobody", images, query_camera is not None)
    return query, gallery, describe_division(query, gallery)


def describe_division(query: Sequence[PersonImage], gallery: Sequence[PersonImage]) -> str:
    """Return which images are queries and which the gallery, for the reader of the figures."""
    cameras, others = ({image.camera for image in side} for side in (query, gallery))
    if None in cameras | others:
        return "queries are one image of each person, drawn at random, and the gallery all others"
    if len(cameras) == 1 and cameras.isdisjoint(others):
        return f"queries are the images of camera {cameras.pop()}, the gallery those of the others"
    return "queries are one image of each person and camera, and the gallery all others"


def hash_shuffle(items: Sequence[T], key: str) -> list[T]:
    """Return items in a pseudorandom order that depends on `key` alone.

    A random generator's stream may change between versions of numpy and Python, and with it every
    result on a random split; a hash does not.

    Example:
        >>> hash_shuffle("abcdef", "split 0")
        ['e', 'd', 'f', 'a', 'b', 'c']
    """
    order = sorted(
        range(len(items)), key=lambda place: hashlib.sha256(f"{key} {place}".encode()).digest()
    )
    return [items[place] for place in order]


def halves(identities: Sequence[int], key: str) -> tuple[frozenset[int], frozenset[int]]:
    """Divide people at random into two halves; of an odd number, the second gets one more."""
    order = hash_shuffle(sorted(identities), key)
    middle = len(order) // 2
    return frozenset(order[:middle]), frozenset(order[middle:])


def _divided(
    images: Sequence[PersonImage], seed: int, with_cameras: bool
) -> tuple[list[PersonImage], list[PersonImage]]:
    """Return queries, chosen person by person, and the other images."""
    by_person: dict[int, list[PersonImage]] = {}
    for image in images:
        by_person.setdefault(image.identity, []).append(image)
    query: list[PersonImage] = []
    for identity, own in sorted(by_person.items()):
        query += _queries(hash_shuffle(own, f"queries {seed} {identity}"), with_cameras)
    chosen = set(query)
    return query, [image for image in images if image not in chosen]


def _queries(images: list[PersonImage], with_cameras: bool) -> list[PersonImage]:
    """Choose queries among one person's images, in random order, each with a match left."""
    if not with_cameras:
        return images[:1] if len(images) > 1 else []
    by_camera: dict[int | None, list[PersonImage]] = {}
    for image in images:
        by_camera.setdefault(image.camera, []).append(image)
    if len(by_camera) < 2:
        return []
    # A camera with one image keeps it as a match for the queries of the others.
    queries = [own[0] for own in by_camera.values() if len(own) > 1]
    return queries or images[:1]


def _nobody_twice(who: str, images: Sequence[PersonImage], with_cameras: bool) -> ValueError:
    return ValueError(
        f"{who} has two images{' under different cameras' if with_cameras else ''}. "
        f"Received: {len(images)} images of {len({image.identity for image in images})} people"
    )


def combineall(dataset: ReidDataset) -> ReidDataset:
    """Train on all parts: training, validation, query and gallery, without distractors.

    For weights that are used on other datasets or other cameras. Query and gallery are not
    changed, but results on them are meaningless afterwards.

    Args:
        dataset: The dataset.

    Returns:
        The same dataset with all people in `train`, each image once, and no `validation`.
    """
    everybody = (image for image in dataset.all_images if not image.distractor)
    return replace(dataset, train=tuple(everybody), validation=())


def merge_datasets(datasets: Sequence[ReidDataset]) -> ReidDataset:
    """Train on several datasets at once, as the paper does before VIPeR and GRID.

    People get new identities, 0 to n - 1, and cameras new numbers from 1, dataset by dataset. Names
    that two datasets have, and numbers, get the dataset's before them, `market1501/2`. The people
    of different datasets are taken for different people, so do not merge two datasets of the same
    people (CUHK01 and CUHK02).

    Args:
        datasets: The datasets, of which `train` and `validation` are used. To use all of a
            dataset, call `combineall` first.

    Returns:
        A dataset without query and gallery: evaluate on one of its sources, or on another one.

    Raises:
        ValueError: There are no datasets.
    """
    if not datasets:
        raise ValueError("`datasets` must be at least one. Received: none")
    train: list[PersonImage] = []
    validation: list[PersonImage] = []
    next_identity, next_camera = 0, 1
    titles = [dataset.name for dataset in datasets]
    owners = Counter(
        name
        for dataset in datasets
        for name in {image.name for image in dataset.train + dataset.validation}
    )
    for number, dataset in enumerate(datasets, start=1):
        title = dataset.name if titles.count(dataset.name) == 1 else f"{dataset.name}-{number}"
        images = dataset.train + dataset.validation
        people = sorted({image.identity for image in images})
        cameras = sorted({image.camera for image in images if image.camera is not None})
        identity = {old: next_identity + place for place, old in enumerate(people)}
        camera = {old: next_camera + place for place, old in enumerate(cameras)}
        for part, source in ((train, dataset.train), (validation, dataset.validation)):
            part += [
                replace(
                    image,
                    identity=identity[image.identity],
                    camera=None if image.camera is None else camera[image.camera],
                    name=image.name
                    if image.name and owners[image.name] == 1
                    else f"{title}/{image.name or image.identity}",
                )
                for image in source
            ]
        next_identity += len(people)
        next_camera += len(cameras)
    return ReidDataset(
        name="+".join(dataset.name for dataset in datasets),
        train=tuple(train),
        validation=tuple(validation),
    )
