"""People held out to test on, and which of their pictures are looked for."""

from collections.abc import Sequence

from keras_osnet.data.datasets.records import ReidDataset
from keras_osnet.data.datasets.shuffling import shuffled
from keras_osnet.data.records import PersonImage


def split_by_identity(
    images: Sequence[PersonImage], fraction: float = 0.5, *, seed: int = 0, name: str = "own"
) -> ReidDataset:
    """Hold some people out, to measure on people whom the training has not seen.

    Of a person held out, one picture under each camera becomes a query, and the others the
    gallery, in which every query has a match under another camera. If the camera of any picture is
    not known, it is one query a person. People without a second camera or picture are in the
    gallery only.

    Args:
        images: The pictures, without distractors, who would be taken for one person.
        fraction: How many of the people to hold out, between 0 and 1.
        seed: Of the choice of people and queries.
        name: Name of the dataset.

    Returns:
        The dataset: other people's pictures in `train`, theirs in `query` and `gallery`.

    Raises:
        ValueError: If `fraction` leaves nobody on one side, or nobody held out has pictures that
            could be found.
    """
    people = sorted({image.identity for image in images})
    count = round(fraction * len(people))
    if not 0 < count < len(people):
        raise ValueError(
            "`fraction` must leave people on both sides. "
            f"Received: {fraction} of {len(people)} people"
        )
    held_out = frozenset(shuffled(people, f"people {seed}")[:count])
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
    """Choose queries among pictures of people; the others are the gallery.

    They are chosen as `split_by_identity` does it among those held out: one picture of each person
    under each camera, or if the camera of any picture is not known, one of each person. People
    without a second camera or picture are in the gallery only.

    Args:
        images: The pictures, without distractors, who would be taken for one person.
        seed: Of the choice.

    Returns:
        (queries, gallery)

    Raises:
        ValueError: If nobody has pictures that could be found.

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


def _divided(
    images: Sequence[PersonImage], seed: int, with_cameras: bool
) -> tuple[list[PersonImage], list[PersonImage]]:
    """Queries, chosen person by person, and the other pictures."""
    by_person: dict[int, list[PersonImage]] = {}
    for image in images:
        by_person.setdefault(image.identity, []).append(image)
    query: list[PersonImage] = []
    for identity, own in sorted(by_person.items()):
        query += _queries(shuffled(own, f"queries {seed} {identity}"), with_cameras)
    asked = set(query)
    return query, [image for image in images if image not in asked]


def _nobody_twice(who: str, images: Sequence[PersonImage], with_cameras: bool) -> ValueError:
    return ValueError(
        f"{who} has two pictures{' under different cameras' if with_cameras else ''}. "
        f"Received: {len(images)} pictures of {len({image.identity for image in images})} people"
    )


def _queries(images: list[PersonImage], with_cameras: bool) -> list[PersonImage]:
    """Choose queries among the pictures of one person, in random order, each with a match left."""
    if not with_cameras:
        return images[:1] if len(images) > 1 else []
    by_camera: dict[int | None, list[PersonImage]] = {}
    for image in images:
        by_camera.setdefault(image.camera, []).append(image)
    if len(by_camera) < 2:
        return []
    # A camera with one picture keeps it as a match for the others' queries.
    queries = [own[0] for own in by_camera.values() if len(own) > 1]
    return queries or images[:1]
