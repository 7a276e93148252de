"""Random transforms of images, with torchreid's parameters.

A transform is a frozen dataclass. Calling it with an image, array (height, width, 3), and a NumPy
generator returns a new image or the same one. Transforms have no state: the result depends only on
the generator, which `ImageBatches` derives from (seed, epoch, position in the epoch). The same code
therefore serves tf.data and PyDataset, on every backend and in any number of threads, and an epoch
can be repeated after a restart. Keras's random layers keep a seed state that depends on all earlier
draws, and their erasing and color jitter have other parameters than torchreid's.

torchreid's order is: flip, crop, patch, color jitter, all on pixels (uint8); then `Normalize`; then
erasing.

There are four kinds of crop. For people, `RandomCrop` enlarges the image by an eighth and crops it
back to its size. For ImageNet, `RandomWindow` cuts out a smaller window, and `CenterCrop` the
window in the middle for testing. For CIFAR, `PadAndCrop` pads by reflection and crops back.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import check_image_size, check_whole, number
from keras_osnet._utils.constants import MEAN, STD
from keras_osnet.data.images import check_pixels, require_pillow
from keras_osnet.data.random_erasing import RandomErasing, RandomPatch, Window, draw_place

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Normalize",
    "PadAndCrop",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomPatch",
    "RandomWindow",
]

_ENLARGEMENT = 1.125

_LUMA = np.array([19595, 38470, 7471], np.uint32)
"""Weights of red, green and blue in gray, in 65,536ths (ITU-R BT.601, as Pillow rounds it)."""


@dataclass(frozen=True)
class RandomFlip:
    """Mirror an image, of any dtype, with a given probability.

    Attributes:
        probability: From 0 to 1.

    Example:
        >>> image = np.arange(6, dtype="uint8").reshape(1, 2, 3)
        >>> RandomFlip(probability=1)(image, np.random.default_rng(0)).tolist()
        [[[3, 4, 5], [0, 1, 2]]]
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        number("probability", self.probability, 0, 1)

    def __call__(self, image: NDArray, rng: np.random.Generator) -> NDArray:
        """Return the image, mirrored or not."""
        return image[:, ::-1] if rng.random() < self.probability else image


@dataclass(frozen=True)
class RandomCrop:
    """Enlarge an image by an eighth and crop its original size at a random place.

    torchreid's Random2DTranslation ("random_crop"). The place is rounded from a uniform number, so
    the outermost places are half as likely as the others. Takes uint8 and needs Pillow.

    Attributes:
        probability: From 0 to 1.

    Example:
        >>> image = np.zeros((256, 128, 3), "uint8")
        >>> RandomCrop()(image, np.random.default_rng(0)).shape
        (256, 128, 3)
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        number("probability", self.probability, 0, 1)

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return an image of the same size.

        Raises:
            ValueError: `image` is not uint8 of shape (height, width, 3).
            ImportError: Pillow is not installed.
        """
        check_pixels(image)
        if rng.random() >= self.probability:
            return image
        pillow = require_pillow()
        height, width = image.shape[:2]
        rows, columns = round(height * _ENLARGEMENT), round(width * _ENLARGEMENT)
        top = round(rng.uniform(0, rows - height))
        left = round(rng.uniform(0, columns - width))
        enlarged = pillow.fromarray(image).resize((columns, rows), pillow.Resampling.BILINEAR)
        return np.asarray(enlarged)[top : top + height, left : left + width]


@dataclass(frozen=True)
class RandomWindow:
    """Cut a window out of an image, of any dtype, at a random place.

    The crop of ImageNet training: 224 × 224 out of images resized to 256 × 256. All places are
    equally likely. Every image has the size of the window afterwards.

    Attributes:
        size: (height, width) of the window.

    Example:
        >>> image = np.zeros((256, 256, 3), "uint8")
        >>> RandomWindow((224, 224))(image, np.random.default_rng(0)).shape
        (224, 224, 3)
    """

    size: tuple[int, int]

    def __post_init__(self) -> None:
        check_image_size(self.size, "size")

    def __call__(self, image: NDArray, rng: np.random.Generator) -> NDArray:
        """Return array (*size, 3), a view of `image`.

        Raises:
            ValueError: The window is larger than the image.
        """
        _check_fits(self.size, image)
        return image[Window(*draw_place(rng, image.shape, self.size), *self.size).slices]


@dataclass(frozen=True)
class CenterCrop:
    """Cut the window in the middle out of an image, of any dtype.

    Odd margins are divided as torchvision's CenterCrop does: the upper and left ones are half the
    difference, rounded to the nearest even number. Small images, which torchvision pads with black,
    raise an error.

    Attributes:
        size: (height, width) of the window.

    Example:
        >>> image = np.arange(15, dtype="uint8").reshape(1, 5, 3)
        >>> CenterCrop((1, 3))(image).tolist()
        [[[3, 4, 5], [6, 7, 8], [9, 10, 11]]]
    """

    size: tuple[int, int]

    def __post_init__(self) -> None:
        check_image_size(self.size, "size")

    def __call__(
        self,
        image: NDArray,
        rng: np.random.Generator | None = None,  # noqa: ARG002 - the signature of all transforms
    ) -> NDArray:
        """Return array (*size, 3), a view of `image`; `rng` is not used.

        Raises:
            ValueError: The window is larger than the image.
        """
        _check_fits(self.size, image)
        height, width = self.size
        top, left = round((image.shape[0] - height) / 2), round((image.shape[1] - width) / 2)
        return image[Window(top, left, height, width).slices]


@dataclass(frozen=True)
class PadAndCrop:
    """Pad an image, of any dtype, by reflection and crop its original size at a random place.

    The crop of CIFAR training (Zagoruyko and Komodakis, Wide Residual Networks, BMVC 2016): 4
    pixels, reflected at the edge without repeating it. All places are equally likely.

    Attributes:
        padding: Width of each of the four margins in pixels; 0 leaves images unchanged.

    Example:
        >>> image = np.zeros((32, 32, 3), "uint8")
        >>> PadAndCrop()(image, np.random.default_rng(0)).shape
        (32, 32, 3)
    """

    padding: int = 4

    def __post_init__(self) -> None:
        check_whole(0, padding=self.padding)

    def __call__(self, image: NDArray, rng: np.random.Generator) -> NDArray:
        """Return an image of the same size.

        Raises:
            ValueError: `padding` is not below the image's height and width.
        """
        height, width = image.shape[:2]
        if self.padding >= min(height, width):
            raise ValueError(
                "`padding` must be below the image's height and width, as it is a reflection. "
                f"Received: {self.padding} for an image of {height} x {width}"
            )
        margins = 2 * self.padding
        top, left = draw_place(rng, (height + margins, width + margins), (height, width))
        # Only the pixels in the window are mirrored: `np.pad` takes several times as long.
        rows = _mirrored(top - self.padding, height)
        columns = _mirrored(left - self.padding, width)
        return image[rows][:, columns]


@dataclass(frozen=True)
class ColorJitter:
    """Change brightness and contrast by random factors, in random order; always.

    Equals torchvision's ColorJitter on Pillow images, to the bit. Brightness multiplies the pixels;
    contrast multiplies their distances from the image's mean gray. (In Keras's layers of these
    names, 0.2 adds up to 0.2 of the whole range.) Takes uint8.

    Attributes:
        brightness: The factor is uniform in 1 - brightness to 1 + brightness; from 0 to 1.
        contrast: The same for contrast.

    Example:
        >>> image = np.full((2, 2, 3), 100, "uint8")
        >>> jittered = ColorJitter()(image, np.random.default_rng(0))
        >>> bool((jittered >= 80).all() and (jittered <= 120).all())
        True
    """

    brightness: float = 0.2
    contrast: float = 0.15

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast"):
            number(name, getattr(self, name), 0, 1)

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return an image of the same size.

        Raises:
            ValueError: `image` is not uint8 of shape (height, width, 3).
        """
        check_pixels(image)
        brightness = rng.uniform(1 - self.brightness, 1 + self.brightness)
        contrast = rng.uniform(1 - self.contrast, 1 + self.contrast)
        if rng.random() < 0.5:
            return _scale(_scale(image, 0, brightness), None, contrast)
        return _scale(_scale(image, None, contrast), 0, brightness)


@dataclass(frozen=True)
class Normalize:
    """Turn pixels into (pixel / 255 - mean) / std, as `keras_osnet.preprocess_input` does.

    Models with `include_preprocessing=True` normalize inside and take pixels instead.

    Attributes:
        mean: Of red, green and blue, in 0–1.
        std: Standard deviation of red, green and blue, in 0–1.

    Example:
        >>> pixel = np.array([[[255, 0, 128]]], "uint8")
        >>> Normalize()(pixel, np.random.default_rng(0)).round(3)
        array([[[ 2.249, -2.036,  0.426]]], dtype=float32)
    """

    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD

    def __call__(
        self,
        image: NDArray[np.uint8],
        rng: np.random.Generator | None = None,  # noqa: ARG002 - the signature of all transforms
    ) -> NDArray[np.float32]:
        """Return the same shape in float32; `rng` is not used.

        Raises:
            ValueError: `image` is not uint8 of shape (height, width, 3).
        """
        check_pixels(image)
        mean: NDArray[np.float32] = np.array(self.mean, np.float32)
        std: NDArray[np.float32] = np.array(self.std, np.float32)
        return (image.astype(np.float32) / np.float32(255) - mean) / std


def _mirrored(start: int, length: int) -> NDArray[np.int64]:
    """Return indices from `start` on into an axis of `length`, those outside reflected."""
    places = np.abs(np.arange(start, start + length))
    last = length - 1
    return last - np.abs(last - places)


def _scale(image: NDArray[np.uint8], center: int | None, factor: float) -> NDArray[np.uint8]:
    """Multiply distances from `center`, or else from the mean gray, by `factor`."""
    if center is None:
        gray = (image.astype(np.uint32) @ _LUMA + 0x8000) >> 16
        center = int(gray.mean() + 0.5)
    # In float32 and truncated, not rounded, as Pillow does it.
    values = np.arange(256, dtype=np.float32)
    start = np.float32(center)
    table = start + np.float32(factor) * (values - start)
    return table.clip(0, 255).astype(np.uint8)[image]


def _check_fits(size: tuple[int, int], image: NDArray) -> None:
    height, width = image.shape[:2]
    if size[0] > height or size[1] > width:
        raise ValueError(
            "`size` must not be above that of the image. "
            f"Received: {size[0]} x {size[1]} for an image of {height} x {width}"
        )
