"""Batch-norm folding: turn a trained model into an inference model."""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

import keras
import numpy as np

from keras_osnet.architecture.naming import check_not_quantized
from keras_osnet.deploy.folded_layers import (
    aggregation_gate,
    array,
    conv_norm,
    cosine_classifier,
    gem,
    lite_conv,
    omni_scale_block,
    precision,
    scale_and_shift,
)
from keras_osnet.layers import (
    AggregationGate,
    BatchNorm,
    ConvNorm2D,
    CosineClassifier,
    GeM,
    LiteConv2D,
    OmniScaleBlock,
)

_ABSORBING = (keras.layers.Dense, keras.layers.Conv2D, keras.layers.DepthwiseConv2D)

_NOTHING = 1e-20
"""Weights below this become 0. Weight decay leaves denormal ones in channels that are not used, and
processors take a hundred times longer to multiply them, or products that become denormal."""


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """Return the inference model of a trained one: the same function, without its batch norms.

    Outside of training, a batch norm scales and shifts each channel, and the convolution or dense
    layer before it can do the same with other weights. The result consists of Keras's own layers
    only (Conv2D, DepthwiseConv2D, Dense, GlobalAveragePooling2D, Multiply, Add, …), so that any
    exporter takes it and a saved one loads where keras_osnet is not installed. It cannot be
    trained further: learned gates that do not depend on the image (`fusion="fixed"`) are folded,
    too.

    Instance norms are kept, because their statistics are those of the image. So is a batch norm
    that does not follow a linear Conv2D, DepthwiseConv2D or Dense, such as a neck: it becomes
    Keras's own, a product and a sum in an exported file. Weights below 1e-20 become 0.

    Args:
        model: A functional model, such as an OSNet of any variant, ablation and head, with or
            without preprocessing, or with a dict of outputs. Layers that are not of this package
            must be Keras's own.

    Returns:
        A functional model with the same inputs, outputs and name, and its own variables. Its
        layers are named after their origin: `conv2_block1_stream2_1_depthwise` comes from the
        second stream of `conv2_block1`. It computes in float32 even if the model was trained in
        mixed or half precision; in float64 where the model does.

    Raises:
        ValueError: The model is not functional, or has a layer that is neither Keras's own nor the
            package's, or is quantized by Keras.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.deploy import fold_batch_norm
        >>> model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
        >>> folded = fold_batch_norm(model)
        >>> tuple(folded.get_layer("conv1").bias.shape)
        (16,)
        >>> any("norm" in layer.name for layer in folded.layers)
        False
    """
    return fold_onto(model)


def fold_onto(
    model: keras.Model, image: Any = None, features: Any = None, left_out: Collection[str] = ()
) -> keras.Model:
    """Fold the batch norms of a model and build the result on another input.

    Args:
        model: As for `fold_batch_norm`; with one input if `image` is given.
        image: Keras input (batch, height, width, 3) of the new model; None for one like the
            model's own.
        features: Input of the model's first layers, computed from `image`; None for `image`.
        left_out: Names of layers that the new model does without.
    """
    if isinstance(model, keras.Sequential) and model.built:
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not isinstance(model, keras.Model) or not hasattr(model, "operations"):
        raise ValueError(
            "`model` must be a functional Keras model, as keras_osnet.OSNet builds. "
            f"Received: {type(model).__name__}"
        )
    check_not_quantized(model)
    for layer in model.layers:
        _check_layer(layer)
    twin = keras.models.clone_model(
        keras.Model(
            model.input if image is None else model.inputs[0], model.output, name=model.name
        ),
        clone_function=lambda layer: layer,
        input_tensors=image,
        call_function=_Rewriter(model, image, features, left_out),
    )
    twin.trainable = False
    _flush(twin)
    return twin


def _flush(model: keras.Model) -> None:
    """Set the weights to 0 that are too small to matter, and that slow a processor down."""
    for variable in model.weights:
        values = keras.ops.convert_to_numpy(variable)
        tiny = (np.abs(values) < _NOTHING) & (values != 0)
        if tiny.any():
            variable.assign(np.where(tiny, 0, values).astype(values.dtype))


class _Rewriter:
    """Call the replacement of each layer of a model in the inference model."""

    def __init__(
        self, model: keras.Model, image: Any, features: Any, left_out: Collection[str]
    ) -> None:
        self.image, self.features = image, features
        self.norms = absorbed_norms(model)
        self.left_out = {norm.name for norm in self.norms.values()} | set(left_out)
        self.copies: dict[str, keras.layers.Layer] = {}

    def __call__(self, layer: Any, *inputs: Any, **arguments: Any) -> Any:
        if self.features is not None:
            inputs = tuple(self.features if each is self.image else each for each in inputs)
        gates = arguments.get("return_gates", False)
        if isinstance(layer, OmniScaleBlock):
            return omni_scale_block(layer, inputs[0], layer.name, return_gates=gates)
        if isinstance(layer, AggregationGate):
            return aggregation_gate(layer, inputs[0], layer.name, return_gates=gates)
        if isinstance(layer, ConvNorm2D):
            return conv_norm(layer, inputs[0], layer.name)
        if isinstance(layer, LiteConv2D):
            return lite_conv(layer, inputs[0], layer.name)
        if isinstance(layer, GeM):
            return gem(layer, inputs[0], layer.name)
        if isinstance(layer, CosineClassifier):
            return cosine_classifier(layer, inputs[0], layer.name)
        if not isinstance(layer, keras.layers.Layer):  # an operation of keras.ops
            return layer(*inputs, **arguments)
        if layer.name in self.left_out:
            return inputs[0]
        if layer.name not in self.copies:
            self.copies[layer.name] = self._copied(layer, *inputs, **arguments)
        return self.copies[layer.name](*inputs, **arguments)

    def _copied(self, layer: Any, *inputs: Any, **arguments: Any) -> keras.layers.Layer:
        if isinstance(layer, keras.Model):
            return fold_batch_norm(layer)
        norm = self.norms.get(layer.name)
        if norm is not None:
            return _with_norm(layer, norm, inputs[0].shape)
        copy = _copy_of(layer)
        if layer.weights:
            copy(*inputs, **arguments)
            copy.set_weights(layer.get_weights())
        return copy


def _copy_of(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Return a layer of the same configuration in the precision of inference, without weights."""
    kind = keras.layers.BatchNormalization if isinstance(layer, BatchNorm) else type(layer)
    return kind.from_config(_folded_config(layer))


def _folded_config(layer: keras.layers.Layer) -> dict[str, Any]:
    """Return the configuration of a copy, whose initializers are Keras's, as are its layers."""
    config = {**layer.get_config(), "dtype": precision(layer)}
    return config | {name: "zeros" for name in config if name.endswith("_initializer")}


def _with_norm(
    layer: keras.layers.Layer,
    norm: keras.layers.BatchNormalization,
    input_shape: tuple[int | None, ...],
) -> keras.layers.Layer:
    """Return a copy of a Dense, Conv2D or DepthwiseConv2D with a batch norm folded in."""
    scale, shift = scale_and_shift(norm)
    kernel = array(layer.kernel)
    if layer.use_bias:
        shift = shift + array(layer.bias) * scale
    # The last two axes of a depthwise kernel, (channels, multiplier), form the output's channels.
    by_output = kernel.shape[-2:] if isinstance(layer, keras.layers.DepthwiseConv2D) else (-1,)
    copy = type(layer).from_config(_folded_config(layer) | {"use_bias": True})
    copy.build(input_shape)
    copy.set_weights([kernel * scale.reshape(by_output), shift])
    return copy


def absorbed_norms(model: keras.Model) -> dict[str, keras.layers.BatchNormalization]:
    """Return the batch norms to fold, by the name of the layer before them."""
    config = keras.Model(model.inputs, model.output).get_config()
    calls = {entry["name"]: entry["inbound_nodes"] for entry in config["layers"]}
    uses = Counter(_producers([calls, config["output_layers"]]))
    norms = {}
    for norm in model.layers:
        if not isinstance(norm, keras.layers.BatchNormalization) or len(calls[norm.name]) != 1:
            continue
        before = model.get_layer(next(_producers(calls[norm.name])))
        if _can_absorb(before, norm) and uses[before.name] == 1 and len(calls[before.name]) == 1:
            norms[before.name] = norm
    return norms


def _can_absorb(layer: keras.layers.Layer, norm: keras.layers.BatchNormalization) -> bool:
    return (
        type(layer) in _ABSORBING
        and layer.activation is keras.activations.linear
        and getattr(layer, "data_format", "channels_last") == "channels_last"
        and norm.axis in (-1, len(layer.output.shape) - 1)
    )


def _producers(config: Any) -> Iterator[str]:
    """Yield the names of the layers whose results a part of a model's configuration refers to."""
    if isinstance(config, dict) and "keras_history" in config:
        yield config["keras_history"][0]
    elif isinstance(config, dict):
        for value in config.values():
            yield from _producers(value)
    elif isinstance(config, (list, tuple)):
        if len(config) == 3 and isinstance(config[0], str):  # (layer, call, tensor) of an output
            yield config[0]
            return
        for value in config:
            yield from _producers(value)


def _check_layer(layer: keras.layers.Layer) -> None:
    own = (
        *(OmniScaleBlock, AggregationGate, BatchNorm, ConvNorm2D, LiteConv2D),
        *(GeM, CosineClassifier),
    )
    if isinstance(layer, own) or type(layer).__module__.partition(".")[0] == "keras":
        return
    raise ValueError(
        "`model` must consist of layers of Keras and of keras_osnet, so that its copy needs only "
        f"Keras to be loaded. Received: {layer.name} of class {type(layer).__name__}"
    )
