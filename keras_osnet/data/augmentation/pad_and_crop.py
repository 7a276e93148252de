"""Small pictures moved a little."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import check_whole
from keras_osnet.data.augmentation._rectangle import draw_place


@dataclass(frozen=True)
class PadAndCrop:
    """Give a picture mirrored margins and cut its size out of that, at a random place; always.

    How CIFAR is trained on (Zagoruyko and Komodakis, Wide Residual Networks, BMVC 2016): margins of
    4 pixels, mirrored at the picture's edge, which is not repeated. All places are equally likely.
    Nothing is enlarged, as `RandomCrop` does, and the size stays, unlike after `RandomWindow`.

    Attributes:
        padding: Width of each of the four margins, in pixels; 0 leaves pictures as they are.

    Example:
        >>> image = np.zeros((32, 32, 3), "uint8")
        >>> PadAndCrop()(image, np.random.default_rng(0)).shape
        (32, 32, 3)
    """

    padding: int = 4

    def __post_init__(self) -> None:
        check_whole(0, padding=self.padding)

    def __call__(self, image: NDArray, rng: np.random.Generator) -> NDArray:
        """Pad and cut.

        Args:
            image: Array (height, width, 3), of any type.
            rng: Source of randomness.

        Returns:
            The same shape and type.

        Raises:
            ValueError: If the picture is too small to be mirrored into such margins.
        """
        height, width = image.shape[:2]
        if self.padding >= min(height, width):
            raise ValueError(
                "`padding` must be below the picture's height and width, as it is mirrored. "
                f"Received: {self.padding} for a picture of {height} x {width}"
            )
        margins = 2 * self.padding
        top, left = draw_place(rng, (height + margins, width + margins), (height, width))
        # Only what the window shows is mirrored: `np.pad` takes several times as long.
        rows = _mirrored(top - self.padding, height)
        columns = _mirrored(left - self.padding, width)
        return image[rows][:, columns]


def _mirrored(start: int, length: int) -> NDArray[np.int64]:
    """Places in a row of pixels, `length` from `start` on, those outside mirrored at its ends."""
    places = np.abs(np.arange(start, start + length))
    last = length - 1
    return last - np.abs(last - places)
