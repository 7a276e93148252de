"""The calls of a functional model in order, and the model to round."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

WEIGHTED = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
"""Layers with one kernel and at most one bias."""

SAME_SCALE = (layers.MaxPooling2D, layers.Permute, layers.ZeroPadding2D)
"""Layers whose int8 kernel keeps the scale of its input."""

POOLING = (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)
"""Layers from feature maps to vectors."""


@dataclass(frozen=True)
class Step:
    """One call of one layer.

    Attributes:
        layer: The layer (or operation of `keras.ops`).
        arguments: Its arguments, Keras's record of tensors and constants.
        inputs: Identifiers of its input tensors.
        output: Identifier of its output tensor.
        tensor: The output tensor.
        integer: Whether the layer is computed in integers.
        held: Whether its output is rounded to int8.
    """

    layer: Any
    arguments: Any
    inputs: tuple[int, ...]
    output: int
    tensor: Any
    integer: bool
    held: bool

    def call(self, inputs: Sequence[Any]) -> Any:
        """Call the layer on values of its input tensors."""
        args, kwargs = self.arguments.fill_in(dict(zip(self.inputs, inputs, strict=True)))
        return self.layer(*args, **kwargs)


def steps(model: keras.Model) -> list[Step]:
    """Return the calls of a flat functional model in the order of their computation.

    Convolutions and sums of feature maps take most of the time: they are computed in integers, and
    so are the padding and max pooling between them. The rest stays float. A gate, from the mean of
    a stream to the weighted sum of the streams, is rounded once, after the sum, and not eight
    times; this was measured to remove more noise than any other choice. Instance norm needs
    statistics that 8 bits cannot represent. XNNPACK has average pooling for floats only; TFLite's
    own for integers runs on one thread. Vectors take no time.
    """
    found = list(_nodes(model))
    readers: dict[int, list[Any]] = {}
    for node in found:
        for tensor in node.input_tensors:
            readers.setdefault(id(tensor), []).append(node)
    integer: dict[int, bool] = {}
    for node in found:
        integer[id(node.outputs[0])] = _in_integers(node, integer)
    result = []
    for node in found:
        output = id(node.outputs[0])
        after = readers.get(output, [])
        # The converter fuses a ReLU into the addition before it.
        fused = (
            isinstance(node.operation, layers.Add)
            and len(after) == 1
            and is_relu(after[0].operation)
        )
        read = any(integer[id(reader.outputs[0])] for reader in after)
        result.append(
            Step(
                node.operation,
                node.arguments,
                tuple(id(tensor) for tensor in node.input_tensors),
                output,
                node.outputs[0],
                integer[output],
                held=is_map(node.outputs[0]) and not fused and (integer[output] or read),
            )
        )
    return result


def prepared(model: keras.Model) -> keras.Model:
    """Copy a folded model in the form that its weights are rounded in.

    Every convolution and dense layer gets a bias, which corrects the mean of a channel after
    rounding; int8 kernels add a bias in any case. Preprocessing becomes a 1×1 depthwise
    convolution, one step in int8 where a product and a sum take two. The input is float.

    Args:
        model: Of Keras's own layers, without batch norm of maps.

    Returns:
        A model that computes the same, with its own variables.

    Raises:
        ValueError: A convolution is called more than once, so that no single rounding fits it.
    """
    calls = Counter(step.layer.name for step in steps(model) if step.integer)
    shared = [name for name, count in calls.items() if count > 1 and _has_kernel(model, name)]
    if shared:
        raise ValueError(
            "`model` must call each convolution of maps once. "
            f"Received: {', '.join(shared)}, called more than once"
        )
    given = model.inputs[0]
    image = keras.Input(batch_shape=given.shape, dtype="float32", name="image")
    twin = keras.models.clone_model(model, input_tensors=image, clone_function=_with_bias)
    for layer in model.layers:
        values = layer.get_weights()
        if isinstance(layer, layers.Rescaling):
            channels = layer.output.shape[-1]
            scale = np.broadcast_to(np.asarray(layer.scale, "float32").ravel(), channels)
            offset = np.broadcast_to(np.asarray(layer.offset, "float32").ravel(), channels)
            values = [scale.reshape(1, 1, channels, 1), offset]
        elif isinstance(layer, WEIGHTED) and len(values) == 1:
            depthwise = isinstance(layer, layers.DepthwiseConv2D)
            channels = np.prod(values[0].shape[2:]) if depthwise else values[0].shape[-1]
            values = [values[0], np.zeros(channels, "float32")]
        if values:
            twin.get_layer(layer.name).set_weights(values)
    return twin


def is_map(tensor: Any) -> bool:
    """Return whether a tensor (batch, height, width, channels) has more than one pixel."""
    return len(tensor.shape) == 4 and tuple(tensor.shape[1:3]) != (1, 1)


def is_relu(layer: Any) -> bool:
    """Return whether a layer is a plain ReLU."""
    if isinstance(layer, layers.ReLU):
        return layer.max_value is None and not layer.negative_slope and not layer.threshold
    return isinstance(layer, layers.Activation) and activation_name(layer) == "relu"


def activation_name(layer: Any) -> str:
    """Return the name of a layer's activation function."""
    return getattr(layer.activation, "__name__", "")


def _has_kernel(model: keras.Model, name: str) -> bool:
    return isinstance(model.get_layer(name), WEIGHTED)


def _with_bias(layer: Any) -> Any:
    if isinstance(layer, layers.Rescaling):
        return layers.DepthwiseConv2D(1, data_format="channels_last", name=layer.name)
    config = layer.get_config()
    if isinstance(layer, WEIGHTED):
        config["use_bias"] = True
    if isinstance(layer, layers.Permute):  # of pixels, which are float here
        config["dtype"] = "float32"
    return type(layer).from_config(config)


def _in_integers(node: Any, integer: dict[int, bool]) -> bool:
    layer = node.operation
    if not is_map(node.outputs[0]):
        return False
    if isinstance(layer, layers.Add) or is_relu(layer):
        return all(integer.get(id(tensor), False) for tensor in node.input_tensors)
    return isinstance(layer, (*WEIGHTED, *SAME_SCALE, layers.Concatenate))


def _nodes(model: keras.Model) -> Iterator[Any]:
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if not isinstance(node.operation, layers.InputLayer):
                yield node
