"""A piece of a picture, at the scale it has: anywhere for training, the middle for testing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import check_image_size
from keras_osnet.data.augmentation._checks import check_window
from keras_osnet.data.augmentation._rectangle import Rectangle, draw_place


@dataclass(frozen=True)
class RandomWindow:
    """Cut a window of a given size out of a picture as it is, at a random place; always.

    How ImageNet is trained on: windows of 224 x 224 from pictures resized to 256 x 256. All places
    are equally likely. `RandomCrop`, in contrast, enlarges the picture first and gives it back at
    the size it had; `PadAndCrop` keeps the size by mirrored margins.

    Attributes:
        size: (height, width) of the window, and so of every picture after this step.

    Example:
        >>> image = np.zeros((256, 256, 3), "uint8")
        >>> RandomWindow((224, 224))(image, np.random.default_rng(0)).shape
        (224, 224, 3)
    """

    size: tuple[int, int]

    def __post_init__(self) -> None:
        check_image_size(self.size, "size")

    def __call__(self, image: NDArray, rng: np.random.Generator) -> NDArray:
        """Cut.

        Args:
            image: Array (height, width, 3), of any type.
            rng: Source of randomness.

        Returns:
            Array (*size, 3) of the same type, a view of `image`.

        Raises:
            ValueError: If the window is larger than the picture.
        """
        check_window(self.size, image)
        return image[Rectangle(*draw_place(rng, image.shape, self.size), *self.size).window]


@dataclass(frozen=True)
class CenterCrop:
    """Cut a window of a given size out of the middle of a picture, to test on.

    Where the margins are odd, the window lies where torchvision's CenterCrop has it: the upper and
    the left margin are rounded halves, a half of .5 to the even number. torchvision gives small
    pictures a black margin; here they are an error.

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
        rng: np.random.Generator | None = None,  # noqa: ARG002 - a step among others
    ) -> NDArray:
        """Cut.

        Args:
            image: Array (height, width, 3), of any type.
            rng: Not used.

        Returns:
            Array (*size, 3) of the same type, a view of `image`.

        Raises:
            ValueError: If the window is larger than the picture.
        """
        check_window(self.size, image)
        height, width = self.size
        top, left = round((image.shape[0] - height) / 2), round((image.shape[1] - width) / 2)
        return image[Rectangle(top, left, height, width).window]
