"""Synthetic people: drawn pedestrians under drawn cameras, to try things out with.

A stand-in for a re-ID data set in tests, examples and first steps, where real pictures of people
are too large, too restricted or too personal. Each identity has a body, hair, clothes and bags of
its own; each camera a place, a height, light, colour cast, blur and noise; each view a pose, a spot
and, at times, something in front. As in reality, an untrained network is drawn to the camera
rather than to the person.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import check_image_size, check_whole
from keras_osnet.synthetic.drawing.attributes import ATTRIBUTE_NAMES, picture_attributes
from keras_osnet.synthetic.drawing.look_alikes import MOST, appearance, details
from keras_osnet.synthetic.drawing.picture import Situation


@dataclass(frozen=True, eq=False)
class SyntheticPeople:
    """Pictures with labels; n = identities x cameras x views, the view changing fastest.

    Attributes:
        images: Array (n, height, width, 3), uint8, RGB.
        identities: Array (n,), int64, from 0: ready to be a classifier's labels.
        cameras: Array (n,), int64, from 0.
        attributes: Array (n, 26), uint8: 1 where the picture shows the attribute, else 0.
        attribute_names: One for each column: PA-100K's, in its order. Female is a matter of the
            body's shape, age of its proportions, hair and bearing; clothes and hair fall to all.
            Front, Side, Back are the picture's; Glasses and HoldObjectsInFront are 0 from behind;
            all others are the same in all pictures of a person.
        details: For each picture what its person differs in from the look-alikes, such as
            `("shoes",)` or `("print", "hat")`; empty where there are none.
        detail_masks: Array (n, height, width), bool: where that is to be seen in each picture,
            that is where it would be another if a look-alike stood there; nowhere if the detail is
            hidden. None where there are no look-alikes.
    """

    images: NDArray[np.uint8]
    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]
    attributes: NDArray[np.uint8]
    attribute_names: tuple[str, ...]
    details: tuple[tuple[str, ...], ...]
    detail_masks: NDArray[np.bool_] | None


def synthetic_person(
    identity: int,
    camera: int,
    view: int,
    *,
    image_size: tuple[int, int] = (256, 128),
    seed: int = 0,
    look_alikes: int = 1,
    in_place_of: int | None = None,
) -> NDArray[np.uint8]:
    """Draw one picture; the same numbers give the same picture, whatever else is drawn.

    Person and scene keep their proportions when `image_size` changes; noise is per pixel.

    Args:
        identity: Whom to show, from 0.
        camera: Which camera to show the person under, from 0.
        view: Which picture of that person under that camera, from 0.
        image_size: (height, width).
        seed: Of this world's people and cameras, from 0.
        look_alikes: So many identities in a row are look-alikes, see `synthetic_people`.
        in_place_of: Whose pose, spot, obstacle and noise to take; None takes the identity's own.
            Two look-alikes in the same place differ by nothing but their details.

    Returns:
        Array (height, width, 3), uint8, RGB.

    Raises:
        ValueError: If a number is negative or not whole, `image_size` is not two positive integers,
            or `look_alikes` is not 1 to 6.

    Example:
        >>> synthetic_person(identity=7, camera=0, view=3, image_size=(128, 64)).shape
        (128, 64, 3)
        >>> one, other = (
        ...     synthetic_person(each, 0, 0, image_size=(128, 64), look_alikes=2, in_place_of=0)
        ...     for each in (0, 1)
        ... )
        >>> bool(0 < (one != other).any(axis=-1).mean() < 0.1)
        True
    """
    whose = identity if in_place_of is None else in_place_of
    check_whole(0, identity=identity, camera=camera, view=view, seed=seed, in_place_of=whose)
    check_image_size(image_size)
    _check_look_alikes(look_alikes)
    situation = Situation(seed, whose, camera, view, image_size)
    return situation.photograph(appearance(seed, identity, look_alikes))


def synthetic_people(
    identities: int | Sequence[int],
    cameras: int = 2,
    views: int = 4,
    *,
    image_size: tuple[int, int] = (256, 128),
    seed: int = 0,
    look_alikes: int = 1,
) -> SyntheticPeople:
    """Draw a data set of synthetic people into memory.

    For people that a network has not seen under the cameras that it knows, draw other identities
    of the same seed: `range(100)` to train on, `range(100, 140)` to evaluate on.

    Args:
        identities: How many people, from identity 0 on; or which.
        cameras: How many cameras; everybody is seen under each.
        views: How many pictures of each person under each camera.
        image_size: (height, width) of the pictures.
        seed: Of this world's people and cameras, from 0.
        look_alikes: So many identities in a row, from 0 on, share all but one or two small
            details: a print on chest and back, shoes, a hat, a bag, a scarf (paper, Fig. 1). 1 to
            6; with 1 nobody is alike.

    Returns:
        A `SyntheticPeople`.

    Raises:
        ValueError: If a count is not positive, `seed` or an identity is negative, `image_size` is
            not two positive integers, or `look_alikes` is not 1 to 6.

    Example:
        >>> people = synthetic_people(3, cameras=2, views=1, image_size=(128, 64))
        >>> people.images.shape, people.identities.tolist(), people.cameras.tolist()
        ((6, 128, 64, 3), [0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1])
        >>> [people.attribute_names[i] for i in people.attributes[0].nonzero()[0]]
        ['Female', 'AgeLess18', 'Side', 'LongSleeve', 'UpperSplice', 'Shorts']
    """
    labels = list(picture_labels(identities, cameras, views, image_size, seed, look_alikes))
    images = np.empty((len(labels), *image_size, 3), np.uint8)
    for index, label in enumerate(labels):
        images[index] = synthetic_person(
            *label, image_size=image_size, seed=seed, look_alikes=look_alikes
        )
    masks = None
    if look_alikes > 1:
        masks = np.stack([detail_mask(*label, image_size, seed, look_alikes) for label in labels])
    return SyntheticPeople(
        images=images,
        identities=np.array([label[0] for label in labels], np.int64),
        cameras=np.array([label[1] for label in labels], np.int64),
        attributes=np.stack(
            [attributes_of(*label, image_size, seed, look_alikes) for label in labels]
        ),
        attribute_names=ATTRIBUTE_NAMES,
        details=tuple(details(seed, label[0], look_alikes) for label in labels),
        detail_masks=masks,
    )


def attributes_of(
    identity: int, camera: int, view: int, image_size: tuple[int, int], seed: int, look_alikes: int
) -> NDArray[np.uint8]:
    """The attributes of one picture, array (26,)."""
    pose = Situation(seed, identity, camera, view, image_size).pose()
    return picture_attributes(appearance(seed, identity, look_alikes), pose.facing)


def detail_mask(
    identity: int, camera: int, view: int, image_size: tuple[int, int], seed: int, look_alikes: int
) -> NDArray[np.bool_]:
    """Where a picture shows what its person differs in from the look-alikes."""
    first = identity - identity % look_alikes
    others = [each for each in range(first, first + look_alikes) if each != identity]
    people = [appearance(seed, each, look_alikes) for each in (identity, *others)]
    return Situation(seed, identity, camera, view, image_size).differences(people)


def chosen_identities(identities: int | Sequence[int]) -> Sequence[int]:
    """Whom to draw."""
    if isinstance(identities, (int, np.integer)):
        return range(identities)
    for identity in identities:
        check_whole(0, identities=identity)
    return [int(identity) for identity in identities]


def picture_labels(
    identities: int | Sequence[int],
    cameras: int,
    views: int,
    image_size: tuple[int, int],
    seed: int,
    look_alikes: int,
) -> Iterator[tuple[int, int, int]]:
    """Check the arguments; all (identity, camera, view), the view changing fastest."""
    check_whole(0, seed=seed)
    check_image_size(image_size)
    _check_look_alikes(look_alikes)
    chosen = chosen_identities(identities)
    for name, count in (("identities", len(chosen)), ("cameras", cameras), ("views", views)):
        check_whole(1, **{name: count})
    return (
        (identity, camera, view)
        for identity in chosen
        for camera in range(cameras)
        for view in range(views)
    )


def _check_look_alikes(count: int) -> None:
    """Raise ValueError if there cannot be so many."""
    check_whole(1, look_alikes=count)
    if count > MOST:
        raise ValueError(f"`look_alikes` must be at most {MOST}. Received: {count}")
