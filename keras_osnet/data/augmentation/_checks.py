"""Mistakes in calling an augmentation."""

import numpy as np
from numpy.typing import NDArray


def check_probability(probability: float) -> None:
    """Raise ValueError unless `probability` is from 0 to 1."""
    if not 0 <= probability <= 1:
        raise ValueError(f"`probability` must be from 0 to 1. Received: {probability}")


def check_rectangle(min_area: float, max_area: float, min_aspect: float) -> None:
    """Raise ValueError unless rectangles can be drawn from these."""
    if not 0 < min_area <= max_area <= 1:
        raise ValueError(
            "`min_area` and `max_area` must be shares of the image, the first not above the "
            f"second. Received: {min_area} and {max_area}"
        )
    if not 0 < min_aspect <= 1:
        raise ValueError(f"`min_aspect` must be above 0 and at most 1. Received: {min_aspect}")


def check_window(size: tuple[int, int], image: NDArray) -> None:
    """Raise ValueError unless a window of `size` fits into `image`."""
    height, width = image.shape[:2]
    if size[0] > height or size[1] > width:
        raise ValueError(
            "`size` must not be above that of the picture. "
            f"Received: {size[0]} x {size[1]} for a picture of {height} x {width}"
        )


def check_pixels(image: NDArray) -> None:
    """Raise ValueError unless `image` is pixels: (height, width, 3), uint8."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            "`image` must be pixels, uint8 of shape (height, width, 3); normalise after this step. "
            f"Received: {image.dtype} of shape {image.shape}"
        )
