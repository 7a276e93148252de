"""Pictures as the functions of this room take them: arrays, files, or a folder of them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet.data._pillow import is_pillow_image
from keras_osnet.data.images import (
    ImageReadError,
    convert_image,
    list_images,
    read_image,
    resize_image,
)
from keras_osnet.data.records import PersonImage
from keras_osnet.runtime.boxes import check_picture
from keras_osnet.runtime.images import as_pixels, listed


def listed_pictures(images: Any, name: str = "images") -> Sequence[Any]:
    """Return pictures one by one, files as paths that nobody has read yet.

    Args:
        images: Array (n, height, width, 3) or (height, width, 3), uint8; a file; a folder; a
            picture of Pillow's; or a sequence of arrays, files, pictures and `PersonImage`.
        name: Of the argument, for errors.

    Raises:
        ValueError: If there is no picture, or an array has another shape.
        TypeError: If it is nothing that holds pictures.
        OSError: If the folder cannot be read.
    """
    if isinstance(images, str | os.PathLike) and Path(images).is_dir():
        return list_images(images)
    pictures: Any = listed(images)
    if len(pictures) == 0:
        raise ValueError(f"`{name}` must be at least one picture. Received: none")
    if isinstance(images, np.ndarray):
        check_picture(pictures[0], name)
        return pictures
    return [each.path if isinstance(each, PersonImage) else each for each in pictures]


def read_picture(image: Any, name: str = "images") -> NDArray[np.uint8]:
    """Return one of `listed_pictures`, array (height, width, 3), in its own size.

    Raises:
        ImageReadError: If it is a file that cannot be read.
        TypeError: If it is neither a path, nor a picture of Pillow's, nor an array of uint8.
        ValueError: If it is an array of another shape.
    """
    if isinstance(image, str | os.PathLike):
        return read_image(image)
    if is_pillow_image(image):
        return convert_image(image)
    check_picture(image, name)
    return image


def read_pictures(
    images: Sequence[Any], image_size: tuple[int, int] | None = None
) -> list[NDArray[np.uint8]]:
    """Return all of `listed_pictures`, in their own sizes or in one (height, width).

    Raises:
        ImageReadError: If files cannot be read.
        TypeError: As for `read_picture`.
        ValueError: As for `read_picture`.
    """
    if image_size is not None:
        pixels, errors = as_pixels(images, image_size)
        if errors:
            raise ImageReadError.join(errors.values())
        return list(pixels)
    pictures, failed = [], []
    for index, image in enumerate(images):
        try:
            pictures.append(read_picture(image, f"images[{index}]"))
        except ImageReadError as error:
            failed.append(error)
    if failed:
        raise ImageReadError.join(failed)
    return pictures


def fitting(picture: NDArray[np.uint8], pixels: int = 320) -> NDArray[np.uint8]:
    """Return a picture no higher than so many pixels: a file of a figure need not hold more."""
    height, width = picture.shape[:2]
    if height <= pixels:
        return picture
    return resize_image(picture, (pixels, max(1, round(width * pixels / height))))
