"""A person a little larger, and off the centre."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keras_osnet.data._pillow import require_pillow
from keras_osnet.data.augmentation._checks import check_pixels, check_probability

_ENLARGEMENT = 1.125


@dataclass(frozen=True)
class RandomCrop:
    """Enlarge a picture by an eighth and cut its size out of it, at random.

    The reference's Random2DTranslation, its "random_crop"; `RandomWindow` and `PadAndCrop` enlarge
    nothing. The place is rounded from a uniform number, and so the outermost places are half as
    likely as the others.

    Attributes:
        probability: How often.

    Example:
        >>> image = np.zeros((256, 128, 3), "uint8")
        >>> RandomCrop()(image, np.random.default_rng(0)).shape
        (256, 128, 3)
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        check_probability(self.probability)

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Crop, or return the image as it is.

        Args:
            image: Array (height, width, 3), uint8.
            rng: Source of randomness.

        Returns:
            The same shape and type.

        Raises:
            ValueError: If `image` is not pixels.
            ImportError: If Pillow is not installed.
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
