"""From pixels to what the models take."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.constants import MEAN, STD
from keras_osnet.data.augmentation._checks import check_pixels


@dataclass(frozen=True)
class Normalize:
    """Turn pixels into (pixel / 255 - mean) / std, as `keras_osnet.preprocess_input` does.

    A model with `include_preprocessing=True` does this itself, and takes pixels.

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
        rng: np.random.Generator | None = None,  # noqa: ARG002 - a step among others
    ) -> NDArray[np.float32]:
        """Normalise.

        Args:
            image: Array (height, width, 3), uint8.
            rng: Not used.

        Returns:
            The same shape, float32.

        Raises:
            ValueError: If `image` is not pixels.
        """
        check_pixels(image)
        mean: NDArray[np.float32] = np.array(self.mean, np.float32)
        std: NDArray[np.float32] = np.array(self.std, np.float32)
        return (image.astype(np.float32) / np.float32(255) - mean) / std
