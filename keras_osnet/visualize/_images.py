"""The images that the functions of this package draw: arrays, files, or a folder of them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet.data.images import ImageReadError, resize_image
from keras_osnet.data.list_images import list_images
from keras_osnet.data.records import PersonImage
from keras_osnet.runtime.images import as_pixels, check_image, listed, to_pixels


def listed_images(images: Any, name: str = "images") -> Sequence[Any]:
    """Return images one by one, files as paths that are not yet read.

    Args:
        images: Array (n, height, width, 3) or (height, width, 3), uint8; a file; a folder; a
            Pillow image; or a sequence of arrays, files, Pillow images and `PersonImage`.
        name: Name of the argument, for errors.

    Raises:
        ValueError: If there is no image, or an array has another shape.
        TypeError: If it is of another type.
        OSError: If the folder cannot be read.
    """
    if isinstance(images, str | os.PathLike) and Path(images).is_dir():
        return list_images(images)
    one_by_one: Any = listed(images)
    if len(one_by_one) == 0:
        raise ValueError(f"`{name}` must be at least one image. Received: none")
    if isinstance(images, np.ndarray):
        check_image(one_by_one[0], name)
        return one_by_one
    return [each.path if isinstance(each, PersonImage) else each for each in one_by_one]


def read_images(
    images: Sequence[Any], image_size: tuple[int, int] | None = None
) -> list[NDArray[np.uint8]]:
    """Return the pixels of `listed_images`, (height, width, 3) in their own size or in one size.

    Raises:
        ImageReadError: If files cannot be read.
        TypeError: If one is neither a path, a Pillow image, nor an array of uint8.
        ValueError: If an array has another shape.
    """
    if image_size is not None:
        resized, errors = as_pixels(images, image_size)
        pixels, failed = list(resized), list(errors.values())
    else:
        pixels, failed = [], []
        for index, image in enumerate(images):
            try:
                pixels.append(to_pixels(image, f"images[{index}]"))
            except ImageReadError as error:
                failed.append(error)
    if failed:
        raise ImageReadError.join(failed)
    return pixels


def fitting(image: NDArray[np.uint8], pixels: int = 320) -> NDArray[np.uint8]:
    """Shrink an image to `pixels` in height and twice that in width: a file need not hold more."""
    height, width = image.shape[:2]
    scale = min(1.0, pixels / height, 2 * pixels / width)
    return resize_image(image, (max(1, round(height * scale)), max(1, round(width * scale))))
