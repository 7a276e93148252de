"""Left and right swapped."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keras_osnet.data.augmentation._checks import check_probability


@dataclass(frozen=True)
class RandomFlip:
    """Mirror a picture, at random.

    Attributes:
        probability: How often.

    Example:
        >>> image = np.arange(6, dtype="uint8").reshape(1, 2, 3)
        >>> RandomFlip(probability=1)(image, np.random.default_rng(0)).tolist()
        [[[3, 4, 5], [0, 1, 2]]]
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        check_probability(self.probability)

    def __call__(self, image: NDArray, rng: np.random.Generator) -> NDArray:
        """Flip, or return the image as it is.

        Args:
            image: Array (height, width, 3), of any type.
            rng: Source of randomness.

        Returns:
            The same shape and type.
        """
        return image[:, ::-1] if rng.random() < self.probability else image
