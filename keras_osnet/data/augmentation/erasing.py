"""Rectangles blanked out (Zhong et al., Random Erasing Data Augmentation, AAAI 2020)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.constants import MEAN, STD
from keras_osnet.data.augmentation._checks import check_probability, check_rectangle
from keras_osnet.data.augmentation._rectangle import draw_rectangle


@dataclass(frozen=True)
class RandomErasing:
    """Blank a rectangle of a picture out, at random.

    The reference erases after it has normalised, and fills with the mean of unnormalised pixels:
    in the picture, that is a grey lighter than the mean. So does this step. It works on pixels as
    well, for models that normalise by themselves, and fills with the nearest pixel to that.

    Attributes:
        probability: How often.
        min_area: Least share of the picture.
        max_area: Greatest share of the picture.
        min_aspect: Least height / width; the greatest is its inverse.
        fill: Red, green and blue, as they are written into a normalised picture.

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
        check_probability(self.probability)
        check_rectangle(self.min_area, self.max_area, self.min_aspect)

    def __call__(self, image: NDArray, rng: np.random.Generator) -> NDArray:
        """Erase, or return the image as it is.

        Args:
            image: Array (height, width, 3): uint8 pixels, or normalised in float32.
            rng: Source of randomness.

        Returns:
            The same shape and type; a copy if something was erased.

        Raises:
            ValueError: If `image` is of another type.
        """
        if image.dtype not in (np.uint8, np.float32):
            raise ValueError(f"`image` must be uint8 or float32. Received: {image.dtype}")
        if rng.random() >= self.probability:
            return image
        area = (self.min_area, self.max_area)
        rectangle = draw_rectangle(rng, image.shape, area, self.min_aspect)
        if rectangle is None:
            return image
        erased = image.copy()
        erased[rectangle.window] = self._pixel if image.dtype == np.uint8 else self.fill
        return erased

    @property
    def _pixel(self) -> NDArray[np.uint8]:
        """The pixel that normalisation turns into `fill`."""
        pixel = (np.array(self.fill) * STD + MEAN) * 255
        return pixel.round().clip(0, 255).astype(np.uint8)
