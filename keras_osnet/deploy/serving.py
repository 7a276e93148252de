"""The model that a file holds: from RGB pixels to one named output."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_osnet._utils.checks import whole_number
from keras_osnet._utils.constants import MEAN, STD
from keras_osnet.architecture.preprocessing import preprocessing_layer, takes_pixels
from keras_osnet.deploy.fold import fold_onto
from keras_osnet.runtime.metadata import INPUT_DTYPES, ModelMetadata

_NAMES = {"embedding": "embedding", "attribute": "attributes", "maps": "maps"}
"""What an output of each kind is called in a file; a classifier's has two names."""


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A folded model that takes pixels, and what its file says of it.

    Attributes:
        model: Functional and of Keras's own layers; one input "image" (batch, height, width, 3),
            RGB 0–255; one output.
        output: The output's name in the file.
        description: What goes into the file.
    """

    model: keras.Model
    output: str
    description: ModelMetadata


def serve(
    model: keras.Model,
    *,
    dtype: str,
    normalize: bool,
    batch: int | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    quantization: str | None,
    labels: Sequence[str],
    licence: str | None,
    source: str | None,
) -> ServedModel:
    """Fold a model, put what is missing before and behind it, and describe the result.

    The arguments are those of `keras_osnet.deploy.export_tflite`, `dtype` being its `input`.

    Raises:
        ValueError: The model is not one image in, one result out; or an argument is wrong.
    """
    kind, output = output_of(model)
    if dtype not in INPUT_DTYPES:
        raise ValueError(f"`input` must be one of {INPUT_DTYPES}. Received: {dtype!r}")
    if batch is not None and whole_number(batch) != 1:
        raise ValueError(f"`batch` must be 1, or None for any number. Received: {batch!r}")
    own_mean, own_std = _statistics(model, mean, std)

    image = keras.Input(batch_shape=(batch, *model.inputs[0].shape[1:]), dtype=dtype, name="image")
    features = None if takes_pixels(model) else preprocessing_layer(own_mean, own_std)(image)
    folded = fold_onto(model, image, features)
    result = folded.outputs[0]
    scaled = any(isinstance(layer, keras.layers.UnitNormalization) for layer in model.layers[-1:])
    if normalize and kind == "embedding" and not scaled:
        scaled = True
        result = keras.layers.UnitNormalization(axis=-1, name="normalized")(result)
    labels = tuple(labels)
    if labels and kind not in ("classification", "attribute"):
        raise ValueError(
            "`labels` name the classes or attributes of a model that predicts them. "
            f"Received: {len(labels)} labels for {model.name}, whose output is of kind {kind!r}"
        )
    description = ModelMetadata(
        name=model.name,
        dim=result.shape[-1],
        image_size=tuple(image.shape[1:3]),
        input_dtype=dtype,
        batch=batch,
        normalized_inside=True,
        mean=own_mean,
        std=own_std,
        output_kind=kind,
        l2_normalized=scaled,
        labels=labels,
        quantization=quantization,
        licence=licence,
        source=source,
    )
    return ServedModel(keras.Model(image, result, name=model.name), output, description)


def output_of(model: keras.Model) -> tuple[str, str]:
    """The kind of a model's output, and its name in a file.

    Raises:
        ValueError: It is not one image in, one result out.
    """
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[-1] != 3:
        raise ValueError(
            "`model` must take one batch of RGB images, (batch, height, width, 3). "
            f"Received: {model.name} with inputs {[tuple(each.shape) for each in inputs]}"
        )
    if len(outputs) != 1 or len(outputs[0].shape) not in (2, 4) or outputs[0].shape[-1] is None:
        raise ValueError(
            "`model` must have one output, (batch, dim) or maps; keras.Model(model.input, "
            "model.get_layer(…).output) cuts one off at a layer. "
            f"Received: {model.name} with outputs {[tuple(each.shape) for each in outputs]}"
        )
    if len(outputs[0].shape) == 4:
        return "maps", _NAMES["maps"]
    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    if activation is keras.activations.sigmoid:
        return "attribute", _NAMES["attribute"]
    if activation is keras.activations.softmax:
        return "classification", "predictions"
    if last.name == "logits":
        return "classification", "logits"
    return "embedding", _NAMES["embedding"]


def _statistics(model: keras.Model, mean: Any, std: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of 0–1 that go before a model, or are in it."""
    given = mean is not None or std is not None
    if takes_pixels(model):
        if given:
            raise ValueError(
                "`mean` and `std` are for a model without preprocessing inside. "
                f"Received: mean={mean!r}, std={std!r} for {model.name}, which has its own"
            )
        layer = model.get_layer("preprocessing")
        scale = np.broadcast_to(np.asarray(layer.scale, np.float64), (3,))
        offset = np.broadcast_to(np.asarray(layer.offset, np.float64), (3,))
        mean, std = -offset / (255 * scale), 1 / (255 * scale)
        return tuple(np.round(mean, 9).tolist()), tuple(np.round(std, 9).tolist())
    if not given:
        return MEAN, STD
    if mean is None or std is None or len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise ValueError(
            "`mean` and `std` go together: three numbers each, of pixels in 0–1. "
            f"Received: mean={mean!r}, std={std!r}"
        )
    return tuple(float(each) for each in mean), tuple(float(each) for each in std)
