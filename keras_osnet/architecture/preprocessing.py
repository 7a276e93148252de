"""Preprocess inputs and decode predictions."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_osnet._utils.checks import positive_integer
from keras_osnet._utils.constants import MEAN, STD
from keras_osnet._utils.warn_user import warn_user

PREPROCESSING = "preprocessing"
"""Name of the layer that normalizes pixels inside a model."""


def preprocess_input(images: Any) -> Any:
    """Normalize RGB pixels of 0–255 for the models: (pixel / 255 - mean) / std per channel.

    Args:
        images: Array or tensor (..., 3), RGB, 0–255, of any integer or float type.

    Returns:
        The same shape as float32: an array for an array, a tensor of the backend for a tensor.

    Raises:
        ValueError: The last dimension is not 3, or an array is not of finite real numbers.

    Example:
        >>> import numpy as np
        >>> from keras_osnet import preprocess_input
        >>> preprocess_input(np.array([[[255, 0, 128]]], "uint8")).round(2)
        array([[[ 2.25, -2.04,  0.43]]], dtype=float32)
    """
    is_tensor = ops.is_tensor(images) or isinstance(images, keras.KerasTensor)
    if not is_tensor:
        images = _checked_pixels(images)
    if len(images.shape) == 0 or images.shape[-1] != len(MEAN):
        raise ValueError(
            "`images` must be RGB, with 3 as the last dimension. "
            f"Received: shape {tuple(images.shape)}"
        )
    if is_tensor:
        pixels = ops.cast(images, "float32")
        mean, std = (ops.convert_to_tensor(values, "float32") for values in (MEAN, STD))
    else:
        _check_range(images)
        pixels = images.astype("float32")
        mean, std = np.array(MEAN, "float32"), np.array(STD, "float32")
    return (pixels / 255.0 - mean) / std


def preprocessing_layer(
    mean: Sequence[float] = MEAN, std: Sequence[float] = STD
) -> keras.layers.Layer:
    """Return `preprocess_input`, or the same with another mean and std, as a layer."""
    # In three dimensions: Keras applies a plain list to the first axis of images if the user's
    # keras.json sets `channels_first`.
    return keras.layers.Rescaling(
        scale=[[[1.0 / (255.0 * each) for each in std]]],
        offset=[[[-one / other for one, other in zip(mean, std, strict=True)]]],
        dtype="float32",
        name=PREPROCESSING,
    )


def statistics_of(layer: keras.layers.Rescaling) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation, of pixels in 0–1, that a `Rescaling` normalizes by."""
    scale, offset = (
        np.broadcast_to(np.ravel(values).astype(np.float64), (3,))
        for values in (layer.scale, layer.offset)
    )
    mean, std = -offset / (255 * scale) + 0.0, 1 / (255 * scale)  # 0 and not -0
    return tuple(np.round(mean, 9).tolist()), tuple(np.round(std, 9).tolist())


def takes_pixels(model: keras.Model) -> bool:
    """Return whether a model normalizes pixels itself, in a layer named `preprocessing`."""
    return any(layer.name == PREPROCESSING for layer in model.layers)


def decode_predictions(
    predictions: Any, top: int = 5, class_names: Sequence[str] | None = None
) -> list[list[tuple[str, str, float]]]:
    """Name the highest predictions of each image.

    Args:
        predictions: Array or tensor (batch, classes).
        top: Number of predictions to return per image.
        class_names: Name of each class. Without it the classes are ImageNet's 1000, whose names
            Keras downloads once.

    Returns:
        For each image, from the highest score down, `(class id, class name, score)`. The id is
        ImageNet's (`"n02123045"`), or the index as text if `class_names` is given.

    Raises:
        ValueError: `predictions` is not of the shape above or not finite, or another argument is
            wrong.

    Example:
        >>> import numpy as np
        >>> from keras_osnet import decode_predictions
        >>> decode_predictions(np.array([[0.25, 0.75]]), class_names=["bag", "hat"])
        [[('1', 'hat', 0.75), ('0', 'bag', 0.25)]]
    """
    top = positive_integer("top", top)
    if class_names is not None and not isinstance(class_names, list | tuple | np.ndarray):
        raise ValueError(
            f"`class_names` must be a list with the name of each class. Received: {class_names!r}"
        )
    if not ops.is_tensor(predictions):
        predictions = _real_array("predictions", predictions)
    predictions = ops.convert_to_numpy(predictions)
    classes = 1000 if class_names is None else len(class_names)
    if predictions.ndim != 2 or predictions.shape[1] != classes:
        raise ValueError(
            f"`predictions` must have the shape (batch, {classes}). "
            f"Received: shape {predictions.shape}"
        )
    if not np.isfinite(predictions.astype("float32")).all():
        raise ValueError(
            "`predictions` must be finite. Received: "
            f"{np.count_nonzero(~np.isfinite(predictions.astype('float32')))} that are not"
        )
    if class_names is None:
        return keras.applications.imagenet_utils.decode_predictions(predictions, top=top)
    order = np.argsort(-predictions, axis=1, kind="stable")[:, :top]
    return [
        [(str(index), class_names[index], float(scores[index])) for index in indices]
        for indices, scores in zip(order, predictions, strict=True)
    ]


def _checked_pixels(images: Any) -> np.ndarray:
    pixels = _real_array("images", images)
    if pixels.dtype.kind == "f" and pixels.size and not np.isfinite(pixels).all():
        raise ValueError(
            "`images` must be finite. Received: "
            f"{pixels[~np.isfinite(pixels)][0]} among pixels of {pixels.dtype}"
        )
    return pixels


def _real_array(name: str, values: Any) -> np.ndarray:
    """Return values as an array of integers or floats, else raise ValueError."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # such as rows that differ in length
        raise ValueError(
            f"`{name}` must be an array. Received: {type(values).__name__} ({error})"
        ) from None
    # By casting rule rather than by kind, so that bfloat16 of ml_dtypes is accepted too.
    real = array.dtype.kind not in "bmM" and np.can_cast(array.dtype, np.float64, "same_kind")
    if not real or np.ma.is_masked(values):
        masked = ", masked" if np.ma.is_masked(values) else ""
        raise ValueError(
            f"`{name}` must hold integers or floats, none of them masked. "
            f"Received: dtype {array.dtype}{masked}"
        )
    return array


def _check_range(images: np.ndarray) -> None:
    if not images.size or images.dtype == np.uint8:
        return
    lowest, highest = float(images.min()), float(images.max())
    if images.dtype.kind == "f" and 0 < highest <= 1 and lowest >= 0:
        warn_user(
            "`images` look like 0–1, but pixels of 0–255 are expected. "
            f"Received: highest value {highest:g}"
        )
    elif (lowest < 0 and highest <= 10) or highest > 510:  # not the overshoot of a resize
        warn_user(
            "`images` do not look like pixels of 0–255, but normalized already or of 16 bits. "
            f"Received: values from {lowest:g} to {highest:g}"
        )
