"""The image that a model starts from."""

from collections.abc import Sequence
from typing import Any

import keras

RE_ID_SIZE = (256, 128)
"""Height and width that every checkpoint but ImageNet's was trained at."""

IMAGENET_SIZE = (224, 224)


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
        shape = (*default_size, 3) if input_shape is None else input_shape
        _check_shape("input_shape", shape, min_size, rgb)
        image = keras.Input(tuple(shape), name="image")
        return image, image

    if not isinstance(input_tensor, keras.KerasTensor):
        raise ValueError(
            "`input_tensor` must be a Keras tensor, such as `keras.Input((256, 128, 3))`. "
            f"Received: {type(input_tensor).__name__}"
        )
    _check_shape("input_tensor", input_tensor.shape[1:], min_size, rgb)
    if input_shape is not None and tuple(input_shape) != tuple(input_tensor.shape[1:]):
        raise ValueError(
            "`input_shape` and `input_tensor` contradict each other; give one of them. "
            f"Received: input_shape={tuple(input_shape)}, "
            f"input_tensor of shape {tuple(input_tensor.shape)}"
        )
    sources = keras.utils.get_source_inputs(input_tensor)
    return sources[0] if len(sources) == 1 else sources, input_tensor


def _check_shape(name: str, shape: Any, min_size: int, rgb: str | None) -> None:
    if not isinstance(shape, (list, tuple)) or len(shape) != 3:
        raise ValueError(
            f"`{name}` must be an image: height, width and channels, such as (256, 128, 3). "
            f"Received: {shape!r}"
        )
    for size in shape[:2]:
        if size is not None and (not isinstance(size, int) or size < min_size):
            raise ValueError(
                f"`{name}` must be at least {min_size} pixels high and wide (or None, for any). "
                f"Received: {tuple(shape)}"
            )
    if not isinstance(shape[2], int) or shape[2] < 1:
        raise ValueError(f"`{name}` must have known channels. Received: {tuple(shape)}")
    if rgb and shape[2] != 3:
        raise ValueError(f"`{name}` must have 3 channels: {rgb}. Received: {tuple(shape)}")
