"""Other light: brightness and contrast."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keras_osnet.data.augmentation._checks import check_pixels

_LUMA = np.array([19595, 38470, 7471], np.uint32)
"""Red, green and blue in a grey, in 65,536ths (ITU-R BT.601, as Pillow rounds it)."""


@dataclass(frozen=True)
class ColorJitter:
    """Change brightness and contrast by random factors, in random order; always.

    What torchvision's ColorJitter does on Pillow images, to the bit. Brightness is a factor on the
    pixels; contrast a factor on their distances from the picture's mean grey. In Keras's layers of
    these names, 0.2 adds up to 0.2 of the whole range.

    Attributes:
        brightness: The factor is uniform in 1 - brightness to 1 + brightness.
        contrast: Likewise.

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
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`{name}` must be from 0 to 1. Received: {getattr(self, name)}")

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Jitter.

        Args:
            image: Array (height, width, 3), uint8.
            rng: Source of randomness.

        Returns:
            The same shape and type.

        Raises:
            ValueError: If `image` is not pixels.
        """
        check_pixels(image)
        brightness = rng.uniform(1 - self.brightness, 1 + self.brightness)
        contrast = rng.uniform(1 - self.contrast, 1 + self.contrast)
        if rng.random() < 0.5:
            return _scale(_scale(image, 0, brightness), None, contrast)
        return _scale(_scale(image, None, contrast), 0, brightness)


def _scale(image: NDArray[np.uint8], center: int | None, factor: float) -> NDArray[np.uint8]:
    """Multiply the pixels' distances from `center`, or else from the mean grey, by `factor`."""
    if center is None:
        grey = (image.astype(np.uint32) @ _LUMA + 0x8000) >> 16
        center = int(grey.mean() + 0.5)
    # In float32 and cut off, not rounded, as Pillow does it.
    values = np.arange(256, dtype=np.float32)
    start = np.float32(center)
    table = start + np.float32(factor) * (values - start)
    return table.clip(0, 255).astype(np.uint8)[image]
