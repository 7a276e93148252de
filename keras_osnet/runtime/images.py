"""Read arrays, files, Pillow images and crops of a frame as pixels of the model's size."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.data.images import (
    ImageReadError,
    convert_image,
    is_pillow_image,
    read_image,
    resize_image,
)
from keras_osnet.data.load_images import read_together

_EDGES = 4


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
    images: Sequence[Any], image_size: tuple[int, int], first: int = 0
) -> tuple[NDArray[np.uint8], dict[int, ImageReadError]]:
    """Return images at one size, and the errors of files that cannot be read.

    Args:
        images: Arrays (height, width, 3), paths or Pillow images.
        image_size: (height, width) of the result; resized as `keras_osnet.data.read_image` does.
        first: Index of the first, as the results and messages count them.

    Returns:
        Array (n, *image_size, 3), black for unreadable files, and their errors by index.

    Raises:
        TypeError: An image is of another type, or not uint8.
        ValueError: An array has another shape.
    """
    if isinstance(images, np.ndarray) and images.shape[1:] == (*image_size, 3) and len(images):
        check_image(images[0], "images")
        return images, {}

    def read(index: int) -> NDArray[np.uint8]:
        return to_pixels(images[index], f"images[{first + index}]", image_size)

    pixels, errors = read_together(len(images), image_size, read)
    return pixels, {first + index: error for index, error in errors.items()}


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
    check_image(image, name)
    return image if image_size is None else resize_image(image, image_size)


def cut_out(frame: NDArray[np.uint8], boxes: ArrayLike) -> list[NDArray[np.uint8]]:
    """Cut boxes out of a frame, such as the people that a detector found.

    Args:
        frame: Array (height, width, 3), uint8, RGB.
        boxes: Array (n, 4) of (left, top, right, bottom) in pixels of the frame; integers or
            floats. Pixel (row y, column x) covers x to x + 1 and y to y + 1, so that (0, 0,
            width, height) is the whole frame. Edges are rounded to whole pixels, and clipped to
            the frame.

    Returns:
        n views of the frame, each (height, width, 3) and at least one pixel.

    Raises:
        TypeError: The frame is not uint8.
        ValueError: The frame or the boxes are not of these shapes, the boxes are fractions of the
            frame, or a box holds no pixel of the frame or a NaN; the message gives its index.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.runtime.images import cut_out
        >>> frame = np.zeros((480, 640, 3), "uint8")
        >>> [crop.shape for crop in cut_out(frame, [(10, 20, 60, 140), (599.5, 0, 700, 99.7)])]
        [(120, 50, 3), (100, 40, 3)]
    """
    check_image(frame, "frame")
    try:
        edges = np.asarray(boxes, np.float64)
    except (TypeError, ValueError) as error:  # of text, or rows of different lengths
        raise ValueError(
            f"`boxes` must be numbers of the shape (n, 4): {error}. Received: {boxes!r:.200}"
        ) from error
    if edges.shape == (0,):
        return []
    if edges.ndim != 2 or edges.shape[1] != _EDGES:
        raise ValueError(
            "`boxes` must have the shape (n, 4): left, top, right, bottom. "
            f"Received: shape {edges.shape}"
        )
    height, width = frame.shape[:2]
    if len(edges) and (np.abs(edges) <= 1).all() and (edges % 1).any():
        raise ValueError(
            "`boxes` must be in pixels; parts of the frame must be multiplied by its width and "
            f"height ({width} x {height}). Received: boxes[0] = {tuple(edges[0].tolist())}"
        )
    # Halves are rounded up everywhere, so that boxes which share an edge share no pixel.
    whole = np.clip(np.floor(edges + 0.5), 0, [width, height, width, height])
    crops = []
    for index, (left, top, right, bottom) in enumerate(whole):
        # A NaN compares as false, too.
        if not (left < right and top < bottom):
            raise ValueError(
                f"`boxes` must each hold at least one pixel of the frame ({width} x {height}), as "
                "(left, top, right, bottom). "
                f"Received: boxes[{index}] = {tuple(edges[index].tolist())}"
            )
        crops.append(frame[int(top) : int(bottom), int(left) : int(right)])
    return crops


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
