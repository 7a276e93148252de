"""A rectangle of random area, shape and place, as random erasing draws it."""

import math
from typing import NamedTuple

import numpy as np

_ATTEMPTS = 100


class Rectangle(NamedTuple):
    """Rows `top` to `top + height`, columns `left` to `left + width`."""

    top: int
    left: int
    height: int
    width: int

    @property
    def window(self) -> tuple[slice, slice]:
        """What to index an image with."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )


def draw_rectangle(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    area: tuple[float, float],
    min_aspect: float,
) -> Rectangle | None:
    """Draw a rectangle that is smaller than an image in both directions.

    Args:
        rng: Source of randomness.
        shape: Of the image, (height, width, ...).
        area: Least and greatest share of the image's area.
        min_aspect: Least height / width; the greatest is its inverse. Uniform in between, hence
            upright more often than not.

    Returns:
        The rectangle, or None if none of a hundred fitted.
    """
    height, width = shape[:2]
    for _ in range(_ATTEMPTS):
        target = rng.uniform(*area) * height * width
        aspect = rng.uniform(min_aspect, 1 / min_aspect)
        rows, columns = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if 0 < rows < height and 0 < columns < width:
            return Rectangle(*draw_place(rng, shape, (rows, columns)), rows, columns)
    return None


def draw_place(
    rng: np.random.Generator, shape: tuple[int, ...], size: tuple[int, ...]
) -> tuple[int, int]:
    """Top and left of a window of `size` in an image of `shape`, all places equally likely."""
    return (
        int(rng.integers(0, shape[0] - size[0], endpoint=True)),
        int(rng.integers(0, shape[1] - size[1], endpoint=True)),
    )
