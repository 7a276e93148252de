"""Mean and standard deviation of pixels: what pictures are normalised with."""

import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keras_osnet.data._source import Images, PictureSource
from keras_osnet.data.images import ImageReadError

_LEVELS = 256

_CHUNK = 64
"""Pictures handed to the threads at once: a million futures would take more memory than they."""


@dataclass(frozen=True)
class PixelStatistics:
    """Mean and standard deviation of the pixels of pictures, in 0–1.

    Attributes:
        mean: Of red, green and blue.
        std: Of red, green and blue.
        images: How many images these are of.
        unreadable: The files that could not be read, with what is wrong with each.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    images: int
    unreadable: Mapping[Path, str] = field(default_factory=dict)


def pixel_statistics(
    images: Images,
    image_size: tuple[int, int] | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> PixelStatistics:
    """Compute the mean and the standard deviation of all pixels, for each channel.

    `Normalize(statistics.mean, statistics.std)` gives these pictures mean 0 and standard deviation
    1. Pictures are read in threads, a few at a time, and their pixels counted by level: nothing is
    rounded before the end, and the order of the pictures does not matter.

    The reference's tool (tools/compute_mean_std.py) has the same mean. Its standard deviation is
    another: that of the pixels within each picture (with n - 1), averaged over the pictures. The
    differences between pictures, dark ones and bright ones, do not count in it, and it is smaller:
    0.20 for CIFAR-10's red, where all pixels have 0.25. The tool also leaves out the last pictures,
    where they do not fill a batch of 100.

    Args:
        images: The files; or pixels, array (n, height, width, 3), uint8, RGB. A file that cannot
            be read is reported in the result and does not stop the others.
        image_size: (height, width) that pictures are resized to, as `read_image` does, so that each
            counts the same. None, for arrays only, is their own.
        progress: Called after every few pictures with the number done so far.

    Returns:
        A `PixelStatistics`.

    Raises:
        ValueError: If there are no pictures or none can be read, `images` is neither of the two,
            or `image_size` is not two positive integers.
        ImportError: If Pillow is not installed, and files are read or an array is resized.

    Example:
        >>> black_and_white = np.zeros((2, 4, 4, 3), "uint8")
        >>> black_and_white[1] = 255
        >>> pixel_statistics(black_and_white).std
        (0.5, 0.5, 0.5)
    """
    source = PictureSource(images, image_size)
    if len(source) == 0:
        raise ValueError("`images` must be at least one picture. Received: none")
    unreadable: dict[Path, str] = {}
    counts = np.zeros((3, _LEVELS), np.int64)
    failed = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for start in range(0, len(source), _CHUNK):
            stop = min(start + _CHUNK, len(source))
            for own in pool.map(partial(_counts, source), range(start, stop)):
                if isinstance(own, ImageReadError):
                    unreadable |= own.reasons
                    failed += 1
                else:
                    counts += own
            if progress is not None:
                progress(stop)
    readable = len(source) - failed
    if readable == 0:
        raise ImageReadError(unreadable)
    red, green, blue = (_moments(channel) for channel in counts)
    return PixelStatistics(
        mean=(red[0], green[0], blue[0]),
        std=(red[1], green[1], blue[1]),
        images=readable,
        unreadable=unreadable,
    )


def _counts(source: PictureSource, number: int) -> NDArray[np.int64] | ImageReadError:
    """How many pixels of a picture have each level; array (3, levels)."""
    try:
        image = source.read(number)
    except ImageReadError as error:
        return error
    return np.stack(
        [np.bincount(image[..., channel].ravel(), minlength=_LEVELS) for channel in range(3)]
    )


def _moments(counts: NDArray[np.int64]) -> tuple[float, float]:
    """Mean and standard deviation of a channel in 0–1."""
    levels = np.arange(_LEVELS)
    # Python's integers: exact, so that flat pictures have a standard deviation of 0.
    pixels, total, squares = (int(counts @ levels**power) for power in range(3))
    variance = (pixels * squares - total * total) / pixels**2
    return total / pixels / 255, math.sqrt(variance) / 255
