"""Synthetic people: drawn pedestrians under drawn cameras, to try things out with.

A stand-in for a re-ID data set in tests, examples and first steps, where real pictures of people
are too large, too restricted or too personal. Each identity has a body, hair and clothes of its
own; each camera a background, light, colour cast, blur and noise; each view a pose, a place and a
size. As in reality, an untrained network is drawn to the camera rather than to the person.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keras_osnet import __version__
from keras_osnet.data._figure import draw_figure
from keras_osnet.data._person import Appearance, Pose
from keras_osnet.data._pillow import require_pillow
from keras_osnet.data._scene import Camera
from keras_osnet.data._shapes import Canvas
from keras_osnet.data.images import check_size
from keras_osnet.data.market1501 import PersonImage

_RECORD = "synthetic_people.json"


@dataclass(frozen=True, eq=False)
class SyntheticPeople:
    """Pictures with labels; n = identities x cameras x views, the view changing fastest.

    Attributes:
        images: Array (n, height, width, 3), uint8, RGB.
        identities: Array (n,), int64, from 0: ready to be a classifier's labels.
        cameras: Array (n,), int64, from 0.
    """

    images: NDArray[np.uint8]
    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]


def synthetic_person(
    identity: int, camera: int, view: int, *, size: tuple[int, int] = (256, 128), seed: int = 0
) -> NDArray[np.uint8]:
    """Draw one picture; the same numbers give the same picture, whatever else is drawn.

    Person and scene keep their proportions when `size` changes; noise is per pixel.

    Args:
        identity: Whom to show, from 0.
        camera: Which camera to show the person under, from 0.
        view: Which picture of that person under that camera, from 0.
        size: (height, width).
        seed: Of this world's people and cameras, from 0.

    Returns:
        Array (height, width, 3), uint8, RGB.

    Raises:
        ValueError: If a number is negative, or `size` is not two positive integers.

    Example:
        >>> synthetic_person(identity=7, camera=0, view=3, size=(128, 64)).shape
        (128, 64, 3)
    """
    _check_not_negative(identity=identity, camera=camera, view=view, seed=seed)
    check_size(size)
    height, width = size
    # The first number after the seed keeps the three kinds of randomness apart.
    person = Appearance.draw(np.random.default_rng([seed, 0, identity]))
    scene = Camera.draw(np.random.default_rng([seed, 1, camera]))
    rng = np.random.default_rng([seed, 2, identity, camera, view])

    pose = Pose.draw(rng, height, width)
    canvas = Canvas(scene.backdrop(height, width, shift=rng.uniform(0, 4)), scene.light)
    draw_figure(canvas, person, pose)
    return scene.develop(canvas.pixels, rng)


def synthetic_people(
    identities: int | Sequence[int],
    cameras: int = 2,
    views: int = 4,
    *,
    size: tuple[int, int] = (256, 128),
    seed: int = 0,
) -> SyntheticPeople:
    """Draw a data set of synthetic people into memory.

    For people that a network has not seen under the cameras that it knows, draw other identities
    of the same seed: `range(100)` to train on, `range(100, 140)` to evaluate on.

    Args:
        identities: How many people, from identity 0 on; or which.
        cameras: How many cameras; everybody is seen under each.
        views: How many pictures of each person under each camera.
        size: (height, width) of the pictures.
        seed: Of this world's people and cameras, from 0.

    Returns:
        A `SyntheticPeople`.

    Raises:
        ValueError: If a count is not positive, `seed` or an identity is negative, or `size` is not
            two positive integers.

    Example:
        >>> people = synthetic_people(3, cameras=2, views=1, size=(128, 64))
        >>> people.images.shape, people.identities.tolist(), people.cameras.tolist()
        ((6, 128, 64, 3), [0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1])
    """
    _check_not_negative(seed=seed)
    check_size(size)
    labels = list(_labels(identities, cameras, views))
    images = np.empty((len(labels), *size, 3), np.uint8)
    for index, label in enumerate(labels):
        images[index] = synthetic_person(*label, size=size, seed=seed)
    return SyntheticPeople(
        images=images,
        identities=np.array([label[0] for label in labels], np.int64),
        cameras=np.array([label[1] for label in labels], np.int64),
    )


def write_synthetic_people(
    folder: str | os.PathLike[str],
    identities: int | Sequence[int],
    cameras: int = 2,
    views: int = 4,
    *,
    size: tuple[int, int] = (256, 128),
    seed: int = 0,
) -> list[PersonImage]:
    """Draw a data set of synthetic people into a folder, named as Market-1501 names its files.

    Names count from one, as identity 0000 is Market-1501's distractors: identity 6 under camera
    0, view 3, is `0007_c1s1_000004_00.png`. Beside the pictures, `synthetic_people.json` records
    the arguments. A run that was interrupted is completed by the same call; a picture appears
    under its name only when it is whole.

    Args:
        folder: Where to write; made if it does not exist.
        identities: How many people, from identity 0 on; or which.
        cameras: How many cameras; everybody is seen under each.
        views: How many pictures of each person under each camera.
        size: (height, width) of the pictures.
        seed: Of this world's people and cameras, from 0.

    Returns:
        The pictures as `read_folder` lists them.

    Raises:
        FileExistsError: If the folder holds anything but the beginning of the same data set.
        ValueError: As for `synthetic_people`.
        ImportError: If Pillow is not installed.
    """
    pillow = require_pillow()
    _check_not_negative(seed=seed)
    check_size(size)
    labels = list(_labels(identities, cameras, views))
    record = json.dumps(
        {
            "keras_osnet": __version__,
            "identities": list(_identities(identities)),
            "cameras": int(cameras),
            "views": int(views),
            "size": [int(side) for side in size],
            "seed": int(seed),
        }
    )
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    if not (root / _RECORD).exists():
        if any(root.iterdir()):
            raise FileExistsError(f"`folder` must be empty or not exist yet. Received: {root}")
        (root / _RECORD).write_text(record + "\n", encoding="utf-8")
    elif (root / _RECORD).read_text(encoding="utf-8").strip() != record:
        raise FileExistsError(
            f"`folder` holds synthetic people of other arguments, see {_RECORD}. Received: {root}"
        )

    written = []
    for identity, camera, view in labels:
        path = root / f"{identity + 1:04d}_c{camera + 1}s1_{view + 1:06d}_00.png"
        if not path.exists():
            image = synthetic_person(identity, camera, view, size=size, seed=seed)
            unfinished = root / f".{path.name}.part"
            pillow.fromarray(image).save(unfinished, format="PNG")
            unfinished.replace(path)
        written.append(PersonImage(path, identity + 1, camera + 1))
    return written


def _check_not_negative(**numbers: int) -> None:
    """Raise ValueError if one of the numbers is negative."""
    for name, number in numbers.items():
        if number < 0:
            raise ValueError(f"`{name}` must not be negative. Received: {number}")


def _identities(identities: int | Sequence[int]) -> Sequence[int]:
    """Whom to draw."""
    if isinstance(identities, (int, np.integer)):
        return range(identities)
    for identity in identities:
        _check_not_negative(identities=identity)
    return [int(identity) for identity in identities]


def _labels(
    identities: int | Sequence[int], cameras: int, views: int
) -> Iterator[tuple[int, int, int]]:
    """All (identity, camera, view), the view changing fastest."""
    chosen = _identities(identities)
    for name, count in (("identities", len(chosen)), ("cameras", cameras), ("views", views)):
        if count < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {count}")
    return (
        (identity, camera, view)
        for identity in chosen
        for camera in range(cameras)
        for view in range(views)
    )
