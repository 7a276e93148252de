"""The image tensor of an exported file: pixel range, order of colors and layout."""

from typing import Any

import keras
import numpy as np

from keras_osnet._utils.checks import color_shares, one_of
from keras_osnet._utils.constants import (
    CHANNELS,
    DTYPES,
    LAYOUTS,
    MEAN,
    PIXEL_RANGES,
    SMALLEST_STD,
    STD,
)
from keras_osnet.architecture.preprocessing import (
    PREPROCESSING,
    preprocessing_layer,
    statistics_of,
    takes_pixels,
)
from keras_osnet.deploy.folded_layers import array

_BEFORE_CONVOLUTION = (
    keras.layers.Permute,
    keras.layers.Rescaling,
    keras.layers.ZeroPadding2D,
)
"""Layers that treat colors independently, so that their order may be another."""


def check_image_tensor(pixel_range: str, dtype: str, layout: str, channels: str) -> None:
    """Raise ValueError unless the arguments of `export` describe an image tensor."""
    one_of("pixel_range", pixel_range, PIXEL_RANGES)
    one_of("dtype", dtype, DTYPES)
    one_of("layout", layout, LAYOUTS)
    one_of("channels", channels, CHANNELS)
    if pixel_range != "0-255" and dtype != "float32":
        raise ValueError(
            f'`dtype` must be "float32" for `pixel_range="{pixel_range}"`. Received: {dtype!r}'
        )


def free_name(model: keras.Model, name: str) -> str:
    """Return a name for a new layer, with "_" added if a layer has it that stays in the file."""
    own = [each for each in model.layers if not isinstance(each, keras.layers.InputLayer)]
    taken = {layer.name for layer in own}
    while name in taken:
        name += "_"
    return name


def image_input(model: keras.Model, *, batch: int | None, dtype: str, layout: str) -> Any:
    """Return the Keras input of a file. Its name there is another, which the format's writer sets.

    Args:
        model: The model, of images (batch, height, width, 3).
        batch: Number of images, None for any.
        dtype: "uint8" or "float32".
        layout: "NHWC" or "NCHW".
    """
    height, width, colors = model.inputs[0].shape[1:]
    sides = (height, width, colors) if layout == "NHWC" else (colors, height, width)
    name = free_name(model, "image")
    return keras.Input(batch_shape=(batch, *sides), dtype=dtype, name=name)


def features_of(
    model: keras.Model, image: Any, *, pixel_range: str, layout: str, mean: Any, std: Any
) -> Any:
    """Return the input of the model's own first layers, (batch, height, width, 3).

    Args:
        model: The model.
        image: The Keras input of the file, from `image_input`.
        pixel_range: Range of its pixels.
        layout: "NHWC" or "NCHW".
        mean: As `statistics` returns it.
        std: Likewise.

    Returns:
        A tensor computed from `image`; None if it is `image` itself.
    """
    features = image
    if layout == "NCHW":
        name = free_name(model, "channels_last")
        features = keras.layers.Permute((2, 3, 1), dtype=image.dtype, name=name)(image)
    if pixel_range == "0-1":
        name = free_name(model, "pixels")
        features = keras.layers.Rescaling(255.0, dtype="float32", name=name)(features)
    if pixel_range != "normalized" and not takes_pixels(model):
        features = preprocessing_layer(mean, std)(features)
    return None if features is image else features


def statistics(model: keras.Model, mean: Any, std: Any) -> tuple[Any, Any]:
    """Return the mean and standard deviation, of pixels in 0–1, that the images are scaled with.

    Raises:
        ValueError: The arguments of `export` are wrong, or the model has its own.
    """
    given = mean is not None or std is not None
    if takes_pixels(model):
        if given:
            raise ValueError(
                "`mean` and `std` are for a model without preprocessing inside. "
                f"Received: mean={mean!r}, std={std!r} for {model.name}, which has its own"
            )
        layer = model.get_layer(PREPROCESSING)
        if not isinstance(layer, keras.layers.Rescaling):
            raise ValueError(
                f"`model` may only have a Rescaling as the layer `{PREPROCESSING}`, which takes "
                "pixels of 0–255; call another layer otherwise. "
                f"Received: {type(layer).__name__} in {model.name}"
            )
        return statistics_of(layer)
    if not given:
        return MEAN, STD
    return color_shares("mean", mean), color_shares("std", std, SMALLEST_STD)


def take_bgr(model: keras.Model) -> None:
    """Turn the first convolution of a folded model, so that the model takes BGR and not RGB.

    Its kernel, and the scale of the pixels before it, are changed in place; the file computes no
    more than before.

    Args:
        model: Folded; its first convolution is not shared with another model.

    Raises:
        ValueError: Something else than one convolution takes the pixels.
    """
    tensor = model.inputs[0]
    while True:
        takers = [each for each in model.operations if tensor in _inputs_of(each)]
        taker = takers[0] if len(takers) == 1 else None
        if isinstance(taker, keras.layers.Conv2D) and taker.groups == 1:
            kernel, *bias = (array(each) for each in taker.weights)
            taker.set_weights([kernel[:, :, ::-1], *bias])
            return
        if not isinstance(taker, _BEFORE_CONVOLUTION):
            names = [each.name for each in takers]
            raise ValueError(
                '`channels="BGR"` is for a model that begins with one convolution, whose kernel is '
                f"turned. Received: {model.name}, which begins with {names}"
            )
        if isinstance(taker, keras.layers.Rescaling):
            taker.scale, taker.offset = _turned(taker.scale), _turned(taker.offset)
        tensor = taker.output


def _inputs_of(operation: Any) -> list[Any]:
    """Return the tensors that the only call of a layer takes."""
    nodes = operation._inbound_nodes
    return [] if not nodes else list(nodes[-1].input_tensors)


def _turned(values: Any) -> Any:
    """Reverse the numbers of three colors; one number is for all of them."""
    numbers = np.asarray(values)
    return values if numbers.ndim == 0 else numbers[..., ::-1].tolist()
