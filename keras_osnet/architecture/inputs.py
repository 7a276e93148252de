"""The image that a model starts from."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_osnet._utils.checks import whole_number

RE_ID_SIZE = (256, 128)
"""Height and width of the images that person re-identification is trained on."""


def image_input(
    input_shape: Sequence[int | None] | None,
    input_tensor: Any,
    *,
    default_size: tuple[int, int],
    min_size: int,
    rgb: str | None,
) -> tuple[Any, Any]:
    """Return what the model is fed and the image tensor to build on.

    Args:
        input_shape: (height, width, channels) or None.
        input_tensor: A Keras tensor, or None to make an input.
        default_size: (height, width) where the user gives neither.
        min_size: The smallest height and width that leave a pixel in the last maps.
        rgb: Why the image must have 3 channels, or None if it may have others.

    Returns:
        The model's inputs (those that `input_tensor` was computed from, if it is given) and the
        image.

    Raises:
        ValueError: The shape is not one of an image, or too small, or does not have 3 channels.
    """
    if input_tensor is None:
        wanted = (*default_size, 3) if input_shape is None else input_shape
        shape = _checked_shape("input_shape", wanted, min_size, rgb)
        image = keras.Input(shape, name="image")
        return image, image

    if not isinstance(input_tensor, keras.KerasTensor):
        raise ValueError(
            "`input_tensor` must be a Keras tensor, such as `keras.Input((256, 128, 3))`. "
            f"Received: {type(input_tensor).__name__}"
        )
    _checked_shape("input_tensor", input_tensor.shape[1:], min_size, rgb)
    if input_shape is not None and tuple(input_shape) != tuple(input_tensor.shape[1:]):
        raise ValueError(
            "`input_shape` and `input_tensor` contradict each other; give one of them. "
            f"Received: input_shape={tuple(input_shape)}, "
            f"input_tensor of shape {tuple(input_tensor.shape)}"
        )
    sources = keras.utils.get_source_inputs(input_tensor)
    return sources[0] if len(sources) == 1 else sources, input_tensor


def _checked_shape(
    name: str, shape: Any, min_size: int, rgb: str | None
) -> tuple[int | None, int | None, int]:
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
