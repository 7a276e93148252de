"""Synthetic images of pedestrians under several cameras.

They replace a re-ID dataset in tests, examples and first steps, where real images of people are too
large, too restricted or too personal. Each identity has its own body, hair, clothes and bags; each
camera its place, height, light, color cast, blur and noise; each view its pose, position and
sometimes an obstacle. As in reality, the features of an untrained network depend more on the camera
than on the person.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import check_image_size, check_whole
from keras_osnet.synthetic.appearance import (
    ATTRIBUTE_NAMES,
    MAX_LOOK_ALIKES,
    appearance,
    details,
    image_attributes,
)
from keras_osnet.synthetic.camera import Situation


@dataclass(frozen=True, eq=False)
class SyntheticPeople:
    """Images with labels; n = identities × cameras × views, the view changing fastest.

    Attributes:
        images: Array (n, height, width, 3), uint8, RGB.
        identities: Array (n,), int64, from 0; valid labels of a classifier.
        cameras: Array (n,), int64, from 0.
        attributes: Array (n, 26), uint8: 1 where the image shows the attribute, else 0.
        attribute_names: One for each column: PA-100K's, in its order. Female shows in the body's
            shape, age in its proportions, hair and posture; clothes and hairstyles are independent
            of both. Front, Side and Back vary between images; Glasses and HoldObjectsInFront are 0
            from behind; all others are the same in all images of a person.
        details: For each image the details in which its person differs from the look-alikes, such
            as `("shoes",)` or `("print", "hat")`; empty without look-alikes.
        detail_masks: Array (n, height, width), bool: the pixels of these details, that is where
            the image would differ if a look-alike stood there; all False if the details are hidden.
            None without look-alikes.
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
    """Draw one image, which depends on the arguments alone.

    Person and scene keep their proportions when `image_size` changes; noise is per pixel.

    Args:
        identity: The person, from 0.
        camera: The camera, from 0.
        view: Index of the image of that person under that camera, from 0.
        image_size: (height, width).
        seed: Seed of all people and cameras, from 0.
        look_alikes: Number of consecutive identities that are look-alikes; see `synthetic_people`.
        in_place_of: The identity whose pose, position, obstacle and noise to use; None is the
            identity's own. Two look-alikes in the same situation differ in their details only.

    Returns:
        Array (height, width, 3), uint8, RGB.

    Raises:
        ValueError: A number is negative or not whole, `image_size` is not two positive integers,
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
    """Draw a dataset of synthetic people into memory.

    To evaluate on unseen people under the cameras of the training, draw other identities with the
    same seed: `range(100)` for training, `range(100, 140)` for evaluation.

    Args:
        identities: The number of people, from identity 0 on; or the identities.
        cameras: Number of cameras; everybody is seen under each.
        views: Number of images of each person under each camera.
        image_size: (height, width) of the images.
        seed: Seed of all people and cameras, from 0.
        look_alikes: Number of consecutive identities, from 0 on, that share all but one or two
            small details: a print on chest and back, shoes, a hat, a bag, a scarf (paper, Fig. 1).
            From 1, no look-alikes, to 6.

    Returns:
        A `SyntheticPeople`.

    Raises:
        ValueError: A count is not positive, `seed` or an identity is negative, `image_size` is
            not two positive integers, or `look_alikes` is not 1 to 6.

    Example:
        >>> people = synthetic_people(3, cameras=2, views=1, image_size=(128, 64))
        >>> people.images.shape, people.identities.tolist(), people.cameras.tolist()
        ((6, 128, 64, 3), [0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1])
        >>> [people.attribute_names[i] for i in people.attributes[0].nonzero()[0]]
        ['Female', 'AgeLess18', 'Side', 'LongSleeve', 'UpperSplice', 'Shorts']
    """
    labels = list(image_labels(identities, cameras, views, image_size, seed, look_alikes))
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
    """Return the attributes of one image, array (26,)."""
    pose = Situation(seed, identity, camera, view, image_size).pose()
    return image_attributes(appearance(seed, identity, look_alikes), pose.facing)


def detail_mask(
    identity: int, camera: int, view: int, image_size: tuple[int, int], seed: int, look_alikes: int
) -> NDArray[np.bool_]:
    """Return the mask of the details in which a person differs from the look-alikes."""
    first = identity - identity % look_alikes
    others = [each for each in range(first, first + look_alikes) if each != identity]
    people = [appearance(seed, each, look_alikes) for each in (identity, *others)]
    return Situation(seed, identity, camera, view, image_size).differences(people)


def chosen_identities(identities: int | Sequence[int]) -> Sequence[int]:
    """Return the identities to draw."""
    if isinstance(identities, (int, np.integer)):
        return range(identities)
    for identity in identities:
        check_whole(0, identities=identity)
    return [int(identity) for identity in identities]


def image_labels(
    identities: int | Sequence[int],
    cameras: int,
    views: int,
    image_size: tuple[int, int],
    seed: int,
    look_alikes: int,
) -> Iterator[tuple[int, int, int]]:
    """Check the arguments and return all (identity, camera, view), the view changing fastest."""
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
    """Raise ValueError unless `count` is from 1 to the maximum."""
    check_whole(1, look_alikes=count)
    if count > MAX_LOOK_ALIKES:
        raise ValueError(f"`look_alikes` must be at most {MAX_LOOK_ALIKES}. Received: {count}")
