"""From whatever holds a picture to pixels of the model's size."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet.data._pillow import is_pillow_image
from keras_osnet.data.images import (
    ImageReadError,
    convert_image,
    read_image,
    resize_image,
)
from keras_osnet.runtime.boxes import check_picture

_ALONE = 4
"""Up to so many pictures are not worth starting threads for."""


def listed(images: Any) -> Any:
    """Return pictures one by one: an array or file alone becomes a list of one.

    Raises:
        TypeError: `images` is nothing that holds pictures.
        ValueError: It is an array of another shape.
    """
    if isinstance(images, str | os.PathLike) or is_pillow_image(images):
        return [images]
    if isinstance(images, np.ndarray):
        if images.ndim == 3:
            check_picture(images, "images")
            return [images]
        if images.ndim != 4:
            raise ValueError(
                "`images` must have the shape (n, height, width, 3) or (height, width, 3). "
                f"Received: shape {images.shape}"
            )
        return images
    if isinstance(images, bytes | dict) or not isinstance(images, Sequence):
        raise TypeError(
            "`images` must be an array, a file's path, a picture of Pillow's, or a list of them. "
            f"Received: {type(images).__name__}"
        )
    return images


def as_pixels(
    images: Sequence[Any], image_size: tuple[int, int], first: int = 0
) -> tuple[NDArray[np.uint8], dict[int, ImageReadError]]:
    """Return pictures at one size, and those of them that are unreadable files.

    Args:
        images: Arrays (height, width, 3), paths or pictures of Pillow's.
        image_size: (height, width) of the result; resized as `keras_osnet.data.read_image` does.
        first: Index of the first, as the results and messages count them.

    Returns:
        Array (n, *size, 3), black for unreadable files, and the error of each of these by index.

    Raises:
        TypeError: One of them is none of these, or not uint8.
        ValueError: One of them has another shape.
    """
    if isinstance(images, np.ndarray) and images.shape[1:] == (*image_size, 3) and len(images):
        check_picture(images[0], "images")
        return images, {}
    pixels = np.zeros((len(images), *image_size, 3), np.uint8)

    def fill(index: int) -> ImageReadError | None:
        image = images[index]
        try:
            if isinstance(image, str | os.PathLike):
                pixels[index] = read_image(image, image_size)
            elif is_pillow_image(image):
                pixels[index] = convert_image(image, image_size)
            else:
                check_picture(image, f"images[{first + index}]")
                pixels[index] = resize_image(image, image_size)
        except ImageReadError as error:
            return error
        return None

    if len(images) <= _ALONE:
        errors = [fill(index) for index in range(len(images))]
    else:
        # Pillow lets go of the interpreter lock while it decodes and resizes.
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            errors = list(pool.map(fill, range(len(images))))
    found = {first + index: error for index, error in enumerate(errors) if error is not None}
    return pixels, found
