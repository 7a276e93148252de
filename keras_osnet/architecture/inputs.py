"""Validation of the input shape."""

from typing import Any

from keras_osnet._utils.checks import whole_number

RE_ID_SIZE = (256, 128)
"""Height and width of the images that person re-identification is trained on."""


def checked_image_shape(
    name: str, shape: Any, min_size: int, *, rgb: str | None = None
) -> tuple[int | None, int | None, int]:
    """Return (height, width, channels), or raise ValueError naming the argument.

    Args:
        name: Name of the argument, for errors.
        shape: The shape, without the batch.
        min_size: The smallest height and width that leave a pixel in the last feature map.
        rgb: Reason why the image must have 3 channels, or None if it may have others.
    """
    if not isinstance(shape, (list, tuple)) or len(shape) != 3:
        raise ValueError(
            f"`{name}` must be an image: height, width and channels, such as (256, 128, 3). "
            f"Received: {shape!r}"
        )
    received = f"Received: {tuple(shape)}"
    height, width, channels = (whole_number(size) for size in shape)
    for size, given in ((height, shape[0]), (width, shape[1])):
        if given is not None and (size is None or size < min_size):
            raise ValueError(
                f"`{name}` must be at least {min_size} pixels high and wide (or None, for any). "
                + received
            )
    if channels is None or channels < 1:
        raise ValueError(f"`{name}` must have known channels. {received}")
    if rgb and channels != 3:
        raise ValueError(f"`{name}` must have 3 channels: {rgb}. {received}")
    return height, width, channels
