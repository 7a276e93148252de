"""Pieces of other pictures pasted in, as passers-by would be (Zhou et al., 2019, footnote 5)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keras_osnet.data._pillow import require_pillow
from keras_osnet.data.augmentation._checks import (
    check_pixels,
    check_probability,
    check_rectangle,
)
from keras_osnet.data.augmentation._rectangle import draw_place, draw_rectangle

_ROTATION = 10


@dataclass(frozen=True)
class RandomPatch:
    """Paste a patch of another picture at a random place, at random.

    The reference keeps a pool of one patch of each of the last 50,000 pictures it has seen, and
    draws from it: what comes out depends on how pictures were divided among workers, and the pool
    takes up to a gigabyte. Here a picture of the training set is drawn instead, and the patch cut
    out of that when it is needed. The patches are distributed as those of a pool that all pictures
    have gone into; there is nothing to keep, and no first hundred pictures without patches. The
    price is that another file is read for every patch, unless pictures are kept in memory. The
    reference cuts patches after flip and crop, here before.

    Attributes:
        probability: How often.
        min_area: Least share of the picture.
        max_area: Greatest share of the picture.
        min_aspect: Least height / width; the greatest is its inverse.

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
        check_probability(self.probability)
        check_rectangle(self.min_area, self.max_area, self.min_aspect)

    def __call__(
        self,
        image: NDArray[np.uint8],
        rng: np.random.Generator,
        draw_picture: Callable[[np.random.Generator], NDArray[np.uint8]],
    ) -> NDArray[np.uint8]:
        """Paste a patch in, or return the image as it is.

        Half of the patches are mirrored, and half rotated by up to 10 degrees, which leaves black
        corners.

        Args:
            image: Array (height, width, 3), uint8.
            rng: Source of randomness.
            draw_picture: Returns a picture of the training set, of the shape and type of `image`;
                called with `rng` when a patch is needed.

        Returns:
            The same shape and type; a copy if something was pasted.

        Raises:
            ValueError: If `image` is not pixels, or a picture drawn is not of its shape, as after a
                `RandomWindow`.
            ImportError: If Pillow is not installed.
        """
        check_pixels(image)
        if rng.random() >= self.probability:
            return image
        other = draw_picture(rng)
        if other.shape != image.shape:
            raise ValueError(
                "`draw_picture` must return pictures of the shape of `image`; change the size "
                f"after this step. Received: {other.shape} for an image of {image.shape}"
            )
        area = (self.min_area, self.max_area)
        rectangle = draw_rectangle(rng, other.shape, area, self.min_aspect)
        if rectangle is None:
            return image
        patch = other[rectangle.window]
        top, left = draw_place(rng, image.shape, patch.shape)
        if rng.random() < 0.5:
            patch = patch[:, ::-1]
        if rng.random() < 0.5:
            degrees = int(rng.integers(-_ROTATION, _ROTATION, endpoint=True))
            patch = np.asarray(require_pillow().fromarray(patch).rotate(degrees))
        patched = image.copy()
        patched[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
        return patched
