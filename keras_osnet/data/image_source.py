"""Images of one size that are read one by one, from files or from an array."""

import os
import reprlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import check_image_size
from keras_osnet.data.images import read_image, resize_image

Images = Sequence[str | os.PathLike[str]] | NDArray[np.uint8]
"""Files; or pixels, array (n, height, width, 3), uint8, RGB."""


class ImageSource:
    """Images of one size that are read one by one, from files or from an array.

    An array is not copied. Arrays that are views of it, or kept, are read-only: whoever wrote to
    one would change later results.

    Args:
        images: The files, or the array.
        image_size: (height, width) that images are resized to; None, for arrays only, is their own.
        keep: Whether to keep images that were read or resized.

    Attributes:
        images: Paths, or the array.
        image_size: (height, width).

    Raises:
        ValueError: `images` is neither, or `image_size` is not two positive integers.
    """

    def __init__(
        self, images: Images, image_size: tuple[int, int] | None = None, keep: bool = False
    ) -> None:
        self.images = _checked_images(images)
        if image_size is None:
            if isinstance(self.images, tuple):
                raise ValueError(
                    "`image_size` must be (height, width) where `images` are files. Received: None"
                )
            image_size = self.images.shape[1:3]
        check_image_size(image_size)
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self._kept: dict[int, NDArray[np.uint8]] | None = {} if keep else None

    def __len__(self) -> int:
        return len(self.images)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Return an image, array (*image_size, 3), uint8.

        Raises:
            ImageReadError: Its file cannot be read.
            ImportError: A file is to be read, or an array to be resized, without Pillow.
        """
        if not isinstance(self.images, tuple) and self.image_size == self.images.shape[1:3]:
            return self.images[index]
        if self._kept is None:
            return self._load(index)
        if index not in self._kept:
            image = self._load(index)
            image.flags.writeable = False
            self._kept[index] = image
        return self._kept[index]

    def _load(self, index: int) -> NDArray[np.uint8]:
        if isinstance(self.images, tuple):
            return read_image(self.images[index], self.image_size)
        return resize_image(self.images[index], self.image_size)


def _checked_images(images: Images) -> tuple[Path, ...] | NDArray[np.uint8]:
    """Return paths, or a read-only view of an array."""
    if isinstance(images, np.ndarray) and images.dtype.kind not in "OU":
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise ValueError(
                "`images` must be paths, or pixels: uint8 of shape (n, height, width, 3). "
                f"Received: {images.dtype} of shape {images.shape}"
            )
        pixels = images.view()
        pixels.flags.writeable = False
        return pixels
    try:
        if isinstance(images, str):  # a single path would be iterated letter by letter
            raise TypeError
        return tuple(path if isinstance(path, Path) else Path(path) for path in images)
    except TypeError:
        raise ValueError(
            "`images` must be paths, or pixels: a numpy array of uint8. "
            f"Received: {reprlib.repr(images)}"
        ) from None
