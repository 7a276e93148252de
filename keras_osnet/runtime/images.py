"""Read arrays, files and Pillow images as pixels of the model's size."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet.data.images import (
    ImageReadError,
    convert_image,
    is_pillow_image,
    read_image,
    readable_formats,
    resize_image,
)
from keras_osnet.data.load_images import read_together


def listed(images: Any) -> Any:
    """Return a sequence of images: a single image or file becomes a list of one.

    Raises:
        TypeError: `images` does not hold images.
        ValueError: It is an array of another shape.
    """
    if isinstance(images, str | os.PathLike) or is_pillow_image(images):
        return [images]
    if isinstance(images, np.ndarray):
        if images.ndim == 3:
            check_image(images, "images")
            return [images]
        if images.ndim != 4:
            raise ValueError(
                "`images` must have the shape (n, height, width, 3) or (height, width, 3). "
                f"Received: shape {images.shape}"
            )
        return images
    if isinstance(images, bytes | dict) or not isinstance(images, Sequence):
        raise TypeError(
            "`images` must be an array, the path of a file, a Pillow image, or a list of them. "
            f"Received: {type(images).__name__}"
        )
    return images


def as_pixels(
    images: Sequence[Any], image_size: tuple[int, int]
) -> tuple[NDArray[np.uint8], dict[int, ImageReadError]]:
    """Return images at one size, and the errors of files that cannot be read.

    Args:
        images: Arrays (height, width, 3), paths or Pillow images.
        image_size: (height, width) of the result; resized as `keras_osnet.data.read_image` does.

    Returns:
        Array (n, *image_size, 3), black for unreadable files, and their errors by index.

    Raises:
        TypeError: An image is of another type, or not uint8.
        ValueError: An array has another shape.
    """
    reader = ImageReader(images, image_size)
    return reader.read(0, len(images)), dict(sorted(reader.unreadable.items()))


class ImageReader:
    """Return images of one size as pixels, a few at a time, to several threads.

    Args:
        images: Arrays (height, width, 3), paths or Pillow images.
        image_size: (height, width) of the results; resized as `keras_osnet.data.read_image` does.

    Attributes:
        unreadable: The errors of the files that could not be read so far, by index.
        waits: Whether some of the images are files, so that reading waits for a disk.

    Raises:
        TypeError: The first image of an array is not uint8.
    """

    def __init__(self, images: Sequence[Any], image_size: tuple[int, int]) -> None:
        self._images, self._image_size = images, image_size
        self._is_ready = is_of_size(images, image_size)
        self.unreadable: dict[int, ImageReadError] = {}
        self.waits = not isinstance(images, np.ndarray) and any(
            isinstance(image, str | os.PathLike) for image in images
        )
        if not self._is_ready:
            # Before the threads: one must not see modules that another is importing.
            with suppress(ImportError):  # arrays of this size need no Pillow
                readable_formats()

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return images `start` to `stop` - 1, (n, *image_size, 3), black if unreadable.

        Raises:
            TypeError: An image is of another type, or not uint8.
            ValueError: An array has another shape.
        """
        if self._is_ready:
            pixels: NDArray[np.uint8] = self._images[start:stop]  # type: ignore[assignment]
            return pixels
        if stop - start == 1:  # the usual case: 0.1 ms less per image
            return self._read_one(start)[None]
        pixels, errors = read_together(
            stop - start, self._image_size, lambda index: self._pixels(start + index)
        )
        self.unreadable.update({start + index: error for index, error in errors.items()})
        return pixels

    def _read_one(self, index: int) -> NDArray[np.uint8]:
        try:
            return self._pixels(index)
        except ImageReadError as error:
            self.unreadable[index] = error
            return np.zeros((*self._image_size, 3), np.uint8)

    def _pixels(self, index: int) -> NDArray[np.uint8]:
        return to_pixels(self._images[index], f"images[{index}]", self._image_size)


def is_of_size(images: Any, image_size: tuple[int, int]) -> bool:
    """Return whether images are an array of this size; raise TypeError if it is not uint8."""
    if (
        not isinstance(images, np.ndarray)
        or images.shape[1:] != (*image_size, 3)
        or not len(images)
    ):
        return False
    check_image(images[0], "images")
    return True


def to_pixels(
    image: Any, name: str, image_size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Return one image as an array (height, width, 3).

    Args:
        image: An array (height, width, 3), a path or a Pillow image.
        name: Name of the argument, for errors.
        image_size: (height, width) of the result; None keeps the image's own.

    Raises:
        ImageReadError: It is a file, or a Pillow image of one, that cannot be read.
        TypeError: It is of another type, or not uint8.
        ValueError: It is an array of another shape.
    """
    if isinstance(image, str | os.PathLike):
        return read_image(image, image_size)
    if is_pillow_image(image):
        try:
            return convert_image(image, image_size)
        except Exception as error:  # one that is decoded only now, from a damaged file
            file = Path(str(getattr(image, "filename", "") or name))
            raise ImageReadError({file: str(error) or type(error).__name__}) from error
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f"`{name}` must be an array (height, width, 3), the path of a file or a Pillow image. "
            f"Received: {type(image).__name__}"
        )
    check_image(image, name)
    return image if image_size is None else resize_image(image, image_size)


def check_image(pixels: object, name: str) -> None:
    """Raise TypeError or ValueError unless an array is one image, uint8 RGB."""
    if not isinstance(pixels, np.ndarray):
        raise TypeError(f"`{name}` must be a NumPy array. Received: {type(pixels).__name__}")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(
            f"`{name}` must have the shape (height, width, 3), at least one pixel of RGB. "
            f"Received: shape {pixels.shape}"
        )
    if pixels.dtype != np.uint8:
        raise TypeError(
            f"`{name}` must be RGB of 0–255 in uint8, not normalized: the embedder does that. "
            f"Received: dtype {pixels.dtype}"
        )
