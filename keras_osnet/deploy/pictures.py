"""The pictures that a file is calibrated with and proven on."""

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet.data.images import ImageReadError, list_images, load_images, resize_image
from keras_osnet.data.spacing import evenly_spaced
from keras_osnet.synthetic.people import synthetic_people

MOST = 1000
"""Pictures of a folder, list or array that are looked at; of more, as many evenly chosen."""

_DRAWN_PEOPLE = 8


def read_pictures(name: str, given: Any, image_size: tuple[int, int], most: int = MOST) -> NDArray:
    """Read pictures at one size, as they are read in training and evaluation.

    Args:
        name: The argument's name, for errors.
        given: A folder, a list of files, or an array (n, height, width, 3), uint8, RGB.
        image_size: (height, width) of the result.
        most: Of more pictures than this, as many are chosen at even distances.

    Returns:
        Array (n, *size, 3), uint8.

    Raises:
        ValueError: `given` is none of these, or has no picture that can be read.
        FileNotFoundError: There is no such folder.
        ImportError: Pillow is not installed.
    """
    if isinstance(given, np.ndarray):
        if given.ndim != 4 or given.shape[-1] != 3 or given.dtype != np.uint8 or not len(given):
            raise ValueError(
                f"`{name}` as an array must be (n, height, width, 3) of uint8, RGB, with n of at "
                f"least 1. Received: shape {given.shape}, {given.dtype}"
            )
        chosen = given[evenly_spaced(len(given), most)]
        return np.stack([resize_image(each, image_size) for each in chosen])
    if isinstance(given, str | os.PathLike):
        given = list_images(given)
    is_list = isinstance(given, Sequence) and len(given) > 0
    if not is_list or not all(isinstance(each, str | os.PathLike) for each in given):
        raise ValueError(
            f"`{name}` must be a folder, a list of picture files, or an array. "
            f"Received: {given!r:.200}"
        )
    loaded = load_images([given[index] for index in evenly_spaced(len(given), most)], image_size)
    if loaded.unreadable:
        message = f"`{name}`: {ImageReadError(loaded.unreadable)}"
        if not loaded.paths:
            raise ValueError(message)
        warnings.warn(message, stacklevel=3)
    return loaded.images


def drawn_pictures(image_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pictures of drawn people, (n, *size, 3), for where nobody gave real ones."""
    return synthetic_people(_DRAWN_PEOPLE, views=1, image_size=image_size).images
