"""Random erasing and random patches: a rectangle of an image is filled."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import number
from keras_osnet._utils.constants import MEAN, STD
from keras_osnet.data.images import check_pixels, require_pillow

_ROTATION = 10
"""Largest rotation of a patch, in degrees."""

_ATTEMPTS = 100
"""Rectangles that are drawn before giving up."""


@dataclass(frozen=True)
class RandomErasing:
    """Fill a random rectangle of an image (Zhong et al., Random Erasing, AAAI 2020).

    torchreid erases after normalization and fills with the mean of unnormalized pixels, which is a
    gray lighter than the mean. This transform does the same. It also takes pixels, for models that
    normalize inside, and then fills with the nearest pixel.

    Attributes:
        probability: From 0 to 1.
        min_area: Smallest share of the image's area.
        max_area: Largest share of the image's area.
        min_aspect: Smallest height / width; the largest is its inverse.
        fill: Red, green and blue of the rectangle in a normalized image.

    Example:
        >>> image = np.zeros((256, 128, 3), "float32")
        >>> erased = RandomErasing(probability=1)(image, np.random.default_rng(0))
        >>> bool(0.01 < (erased != 0).mean() < 0.41)
        True
    """

    probability: float = 0.5
    min_area: float = 0.02
    max_area: float = 0.4
    min_aspect: float = 0.3
    fill: tuple[float, float, float] = MEAN

    def __post_init__(self) -> None:
        number("probability", self.probability, 0, 1)
        _check_rectangle(self.min_area, self.max_area, self.min_aspect)

    def __call__(self, image: NDArray, rng: np.random.Generator) -> NDArray:
        """Return the image, or a copy with a rectangle erased.

        Raises:
            ValueError: `image` is neither uint8 nor (normalized) float32.
        """
        if image.dtype not in (np.uint8, np.float32):
            raise ValueError(f"`image` must be uint8 or float32. Received: {image.dtype}")
        if rng.random() >= self.probability:
            return image
        area = (self.min_area, self.max_area)
        rectangle = _draw_rectangle(rng, image.shape, area, self.min_aspect)
        if rectangle is None:
            return image
        erased = image.copy()
        erased[rectangle.slices] = self._pixel if image.dtype == np.uint8 else self.fill
        return erased

    @property
    def _pixel(self) -> NDArray[np.uint8]:
        """The pixel that normalization turns into `fill`."""
        pixel = (np.array(self.fill) * STD + MEAN) * 255
        return pixel.round().clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class RandomPatch:
    """Paste a patch of another image, like an occluding passer-by (Zhou et al. 2019, footnote 5).

    torchreid keeps a pool with one patch of each of the last 50,000 images and draws from it: the
    result depends on how images are divided among workers, and the pool takes up to a gigabyte.
    Here another training image is drawn and its patch is cut out when it is needed. The
    distribution is that of a pool with patches of all images, without a pool in memory, and the
    first hundred images get patches too. In return, every patch reads another file, unless images
    are kept in memory. torchreid cuts patches after flip and crop, this transform before. Images
    are uint8.

    Attributes:
        probability: From 0 to 1.
        min_area: Smallest share of the image's area.
        max_area: Largest share of the image's area.
        min_aspect: Smallest height / width; the largest is its inverse.

    Example:
        >>> image, other = np.zeros((64, 32, 3), "uint8"), np.full((64, 32, 3), 255, "uint8")
        >>> patched = RandomPatch(probability=1)(image, np.random.default_rng(0), lambda rng: other)
        >>> bool(0 < patched.mean() < 255)
        True
    """

    probability: float = 0.5
    min_area: float = 0.01
    max_area: float = 0.5
    min_aspect: float = 0.1

    def __post_init__(self) -> None:
        number("probability", self.probability, 0, 1)
        _check_rectangle(self.min_area, self.max_area, self.min_aspect)

    def __call__(
        self,
        image: NDArray[np.uint8],
        rng: np.random.Generator,
        draw_image: Callable[[np.random.Generator], NDArray[np.uint8]],
    ) -> NDArray[np.uint8]:
        """Return the image, or a copy with a patch pasted in.

        Half of the patches are mirrored, and half are rotated by up to 10 degrees, which leaves
        black corners.

        Args:
            image: Array (height, width, 3), uint8.
            rng: Source of randomness.
            draw_image: Returns a training image of the shape and dtype of `image`; called with
                `rng` when a patch is needed.

        Raises:
            ValueError: `image` is not pixels, or a drawn image has another shape, as after a
                `RandomWindow`.
            ImportError: Pillow is not installed.
        """
        check_pixels(image)
        if rng.random() >= self.probability:
            return image
        other = draw_image(rng)
        if other.shape != image.shape:
            raise ValueError(
                "`draw_image` must return images of the shape of `image`; change the size after "
                f"this step. Received: {other.shape} for an image of {image.shape}"
            )
        area = (self.min_area, self.max_area)
        rectangle = _draw_rectangle(rng, other.shape, area, self.min_aspect)
        if rectangle is None:
            return image
        patch = other[rectangle.slices]
        top, left = draw_place(rng, image.shape, patch.shape)
        if rng.random() < 0.5:
            patch = patch[:, ::-1]
        if rng.random() < 0.5:
            degrees = int(rng.integers(-_ROTATION, _ROTATION, endpoint=True))
            patch = np.asarray(require_pillow().fromarray(patch).rotate(degrees))
        patched = image.copy()
        patched[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
        return patched


class Window(NamedTuple):
    """Rows `top` to `top + height`, columns `left` to `left + width`."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The slices of the window, to index an image with."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )


def draw_place(
    rng: np.random.Generator, shape: tuple[int, ...], size: tuple[int, ...]
) -> tuple[int, int]:
    """Draw top and left of a window of `size` in an image of `shape`, all equally likely."""
    return (
        int(rng.integers(0, shape[0] - size[0], endpoint=True)),
        int(rng.integers(0, shape[1] - size[1], endpoint=True)),
    )


def _draw_rectangle(
    rng: np.random.Generator, shape: tuple[int, ...], area: tuple[float, float], min_aspect: float
) -> Window | None:
    """Draw a rectangle smaller than an image in both directions, or None if none fits.

    `area` holds the smallest and largest share of the image. Height / width is uniform from
    `min_aspect` to its inverse, hence upright more often than not.
    """
    height, width = shape[:2]
    for _ in range(_ATTEMPTS):
        target = rng.uniform(*area) * height * width
        aspect = rng.uniform(min_aspect, 1 / min_aspect)
        rows, columns = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if 0 < rows < height and 0 < columns < width:
            return Window(*draw_place(rng, shape, (rows, columns)), rows, columns)
    return None


def _check_rectangle(min_area: float, max_area: float, min_aspect: float) -> None:
    if not 0 < min_area <= max_area <= 1:
        raise ValueError(
            "`min_area` and `max_area` must be shares of the image, the first not above the "
            f"second. Received: {min_area} and {max_area}"
        )
    if not 0 < min_aspect <= 1:
        raise ValueError(f"`min_aspect` must be above 0 and at most 1. Received: {min_aspect}")
