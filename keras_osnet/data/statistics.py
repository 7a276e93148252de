"""Mean and standard deviation of pixels, for normalization."""

import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keras_osnet.data.images import ImageReadError, readable_formats
from keras_osnet.data.load_images import Images, ImageSource

_LEVELS = 256

_CHUNK = 64
"""Images submitted to the threads at once: a million futures would take more memory."""


@dataclass(frozen=True)
class PixelStatistics:
    """Mean and standard deviation of the pixels of images, in 0–1.

    Attributes:
        mean: Of red, green and blue.
        std: Of red, green and blue.
        images: Number of images.
        unreadable: The files that could not be read, with the reason for each.
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

    `Normalize(statistics.mean, statistics.std)` gives these images mean 0 and standard deviation 1.
    Images are read in threads, a few at a time, and a histogram of their pixels is kept: nothing is
    rounded before the end, and the order of the images does not matter.

    torchreid's tool (tools/compute_mean_std.py) has the same mean, but averages the standard
    deviations (with n - 1) of the single images. It ignores differences between dark and bright
    images, and is smaller: 0.20 instead of 0.25 for CIFAR-10's red. The tool also leaves out the
    last images if they do not fill a batch of 100.

    Args:
        images: The files; or pixels, array (n, height, width, 3), uint8, RGB. A file that cannot
            be read is reported in the result and does not stop the others.
        image_size: (height, width) that images are resized to, as `read_image` does, so that all
            have the same weight. None, for arrays only, is their own.
        progress: Called after every few images with the number processed so far.

    Returns:
        A `PixelStatistics`.

    Raises:
        ValueError: There are no images, `images` is neither of the two, or `image_size` is not two
            positive integers.
        ImageReadError: No image can be read.
        ImportError: Pillow is not installed, and files are read or an array is resized.

    Example:
        >>> black_and_white = np.zeros((2, 4, 4, 3), "uint8")
        >>> black_and_white[1] = 255
        >>> pixel_statistics(black_and_white).std
        (0.5, 0.5, 0.5)
    """
    source = ImageSource(images, image_size)
    if len(source) == 0:
        raise ValueError("`images` must be at least one image. Received: none")
    unreadable: dict[Path, str] = {}
    counts = np.zeros((3, _LEVELS), np.int64)
    failed = 0
    with suppress(ImportError):  # arrays that are not resized need no Pillow
        readable_formats()  # imported here, and not by the threads
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


def _counts(source: ImageSource, number: int) -> NDArray[np.int64] | ImageReadError:
    """Return the histogram of an image's channels; array (3, levels)."""
    try:
        image = source.read(number)
    except ImageReadError as error:
        return error
    return np.stack(
        [np.bincount(image[..., channel].ravel(), minlength=_LEVELS) for channel in range(3)]
    )


def _moments(counts: NDArray[np.int64]) -> tuple[float, float]:
    """Return mean and standard deviation of a channel in 0–1."""
    levels = np.arange(_LEVELS)
    # Python's integers: exact, so that constant images have a standard deviation of 0.
    pixels, total, squares = (int(counts @ levels**power) for power in range(3))
    variance = (pixels * squares - total * total) / pixels**2
    return total / pixels / 255, math.sqrt(variance) / 255
