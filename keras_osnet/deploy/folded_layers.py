"""The package's layers written out in Keras's own, with every batch norm folded in."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_osnet.layers import (
    AggregationGate,
    ConvNorm2D,
    CosineClassifier,
    GeM,
    LiteConv2D,
    OmniScaleBlock,
)
from keras_osnet.layers.gem import EPSILON


def conv_norm(layer: ConvNorm2D, maps: Any, name: str) -> Any:
    """Write out a `ConvNorm2D`."""
    dtype = precision(layer)
    kernel = array(layer.convolution.kernel)
    bias = None
    if isinstance(layer.norm, keras.layers.BatchNormalization):
        scale, bias = scale_and_shift(layer.norm)
        kernel = kernel * scale
    before_norm = isinstance(layer.norm, keras.layers.GroupNormalization)
    maps = convolution(
        maps,
        kernel,
        bias,
        name=name,
        dtype=dtype,
        strides=layer.strides,
        activation=None if before_norm else layer.activation,
    )
    if not before_norm:
        return maps
    maps = instance_norm(layer.norm, maps, f"{name}_norm")
    if layer.activation is None:
        return maps
    return keras.layers.ReLU(dtype=dtype, name=f"{name}_relu")(maps)


def lite_conv(layer: LiteConv2D, maps: Any, name: str) -> Any:
    """Write out a `LiteConv2D`: its batch norm goes into the depthwise convolution."""
    dtype = precision(layer)
    scale, shift = scale_and_shift(layer.norm)
    maps = convolution(
        maps, array(layer.pointwise.kernel), None, name=f"{name}_pointwise", dtype=dtype
    )
    return depthwise(
        maps,
        array(layer.depthwise.kernel) * scale[:, None],
        shift,
        name=f"{name}_depthwise",
        dtype=dtype,
        activation="relu",
    )


def instance_norm(norm: keras.layers.GroupNormalization, maps: Any, name: str) -> Any:
    """Copy an instance norm."""
    config = {**norm.get_config(), "name": name, "dtype": precision(norm)}
    copy = keras.layers.GroupNormalization.from_config(config)
    copy.build((None, None, None, maps.shape[-1]))
    copy.set_weights([array(weight) for weight in norm.weights])
    return copy(maps)


def aggregation_gate(
    gate: AggregationGate, streams: list[Any], name: str, *, return_gates: bool = False
) -> Any:
    """Write out an `AggregationGate`, optionally with its vectors (batch, T, channels or 1)."""
    if gate.kind == "fixed":
        return _fixed_gate(gate, streams, name, return_gates)
    dtype = precision(gate)
    networks = _gate_networks(gate, name)
    gated, gates = [], []
    for index, stream in enumerate(streams):
        squeeze, excite = networks[index % len(networks)]
        pooled = keras.layers.GlobalAveragePooling2D(
            data_format="channels_last",
            keepdims=True,
            dtype=dtype,
            name=f"{name}_stream{index + 1}_pooled",
        )(stream)
        gates.append(excite(squeeze(pooled)))
        product = keras.layers.Multiply(dtype=dtype, name=f"{name}_stream{index + 1}_gated")
        gated.append(product([stream, gates[-1]]))
    fused = _total(gated, f"{name}_fused", dtype)
    if not return_gates:
        return fused
    vectors = [
        keras.layers.Reshape((1, vector.shape[-1]), dtype=dtype, name=f"{name}s_stream{index}")(
            vector
        )
        for index, vector in enumerate(gates, start=1)
    ]
    return fused, _concatenated(vectors, f"{name}s", dtype, axis=1)


def omni_scale_block(
    block: OmniScaleBlock, maps: Any, name: str, *, return_gates: bool = False
) -> Any:
    """Write out an `OmniScaleBlock`, optionally with its gating vectors (batch, T, channels)."""
    dtype = precision(block)
    reduced = conv_norm(block.reduce, maps, f"{name}_reduce")
    streams = []
    for stream in block.streams:
        outputs = reduced
        for layer in stream:
            write = lite_conv if isinstance(layer, LiteConv2D) else conv_norm
            outputs = write(layer, outputs, f"{name}_{layer.name}")
        streams.append(outputs)

    gates = None
    if block.gate is not None:
        fused, gates = aggregation_gate(block.gate, streams, f"{name}_gate", return_gates=True)
    elif block.fusion == "concatenation":
        fused = _concatenated(streams, f"{name}_fused", dtype)
    else:
        fused = _total(streams, f"{name}_fused", dtype)

    outputs = conv_norm(block.expand, fused, f"{name}_expand")
    if block.shortcut is not None:
        maps = conv_norm(block.shortcut, maps, f"{name}_shortcut")
    outputs = keras.layers.Add(dtype=dtype, name=f"{name}_residual")([outputs, maps])
    if block.norm is not None:
        outputs = instance_norm(block.norm, outputs, f"{name}_norm")
    outputs = keras.layers.ReLU(dtype=dtype, name=name)(outputs)
    return (outputs, gates) if return_gates else outputs


def gem(layer: GeM, maps: Any, name: str) -> Any:
    """Write out a `GeM`, whose exponent is a constant. What is raised to it is above 0."""
    exponent = float(array(layer.exponent)[0])
    maps = ops.maximum(maps, EPSILON)
    largest = keras.layers.GlobalMaxPooling2D(
        data_format="channels_last", keepdims=True, dtype="float32", name=f"{name}_largest"
    )(maps)
    powers = ops.power(ops.divide(maps, largest), exponent)
    mean = keras.layers.GlobalAveragePooling2D(
        data_format="channels_last", dtype="float32", name=f"{name}_mean"
    )(powers)
    largest = keras.layers.Flatten(dtype="float32", name=f"{name}_flat")(largest)
    product = keras.layers.Multiply(dtype="float32", name=name)
    return product([ops.power(mean, 1 / exponent), largest])


def cosine_classifier(layer: CosineClassifier, embedding: Any, name: str) -> Any:
    """Write out a `CosineClassifier`: a dense layer on embeddings of length 1."""
    kernel = array(layer.kernel).astype("float64")
    kernel *= layer.scale / np.maximum(np.linalg.norm(kernel, axis=0), 1e-6)
    unit = keras.layers.UnitNormalization(axis=-1, dtype="float32", name=f"{name}_unit")(embedding)
    dense = keras.layers.Dense(layer.classes, use_bias=False, dtype="float32", name=name)
    dense.build(unit.shape)
    dense.set_weights([kernel.astype("float32")])
    return dense(unit)


def _gate_networks(gate: AggregationGate, name: str) -> list[list[keras.layers.Conv2D]]:
    """Return the two layers of each gate: 1×1 convolutions, which keep height and width."""
    dtype = precision(gate)
    networks = []
    for index, dense in enumerate(zip(gate.squeeze, gate.excite, strict=True), start=1):
        own = name if len(gate.squeeze) == 1 else f"{name}_stream{index}"
        networks.append(
            [
                conv_layer(
                    array(part.kernel)[None, None],
                    array(part.bias),
                    name=f"{own}_{role}",
                    dtype=dtype,
                    activation=activation,
                )
                for part, role, activation in zip(
                    dense, ("squeeze", "excite"), ("relu", "sigmoid"), strict=True
                )
            ]
        )
    return networks


def _fixed_gate(gate: AggregationGate, streams: list[Any], name: str, return_gates: bool) -> Any:
    """Write gates that do not depend on the image as 1×1 depthwise convolutions."""
    dtype = precision(gate)
    factors = 1 / (1 + np.exp(-array(gate.gate_logits)))
    gated = [
        depthwise(
            stream, factor[None, None, :, None], name=f"{name}_stream{index}_gated", dtype=dtype
        )
        for index, (stream, factor) in enumerate(zip(streams, factors, strict=True), start=1)
    ]
    fused = _total(gated, f"{name}_fused", dtype)
    return (fused, _constant_vectors(factors, fused, f"{name}s", dtype)) if return_gates else fused


def _constant_vectors(factors: NDArray, maps: Any, name: str, dtype: str) -> Any:
    """Repeat gates (T, channels) for each image, as zero times its pixels plus the gates.

    No layer of Keras gives a constant for each image that does not depend on the image.
    """
    pooled = keras.layers.GlobalAveragePooling2D(
        data_format="channels_last", dtype=dtype, name=f"{name}_batch"
    )(maps)
    layer = keras.layers.Dense(
        factors.size, kernel_initializer="zeros", dtype=dtype, name=f"{name}_constant"
    )
    layer.build(pooled.shape)
    layer.set_weights([np.zeros((pooled.shape[-1], factors.size)), factors.ravel()])
    return keras.layers.Reshape(factors.shape, dtype=dtype, name=name)(layer(pooled))


def _total(tensors: list[Any], name: str, dtype: str) -> Any:
    if len(tensors) == 1:
        return tensors[0]
    return keras.layers.Add(dtype=dtype, name=name)(tensors)


def _concatenated(tensors: list[Any], name: str, dtype: str, axis: int = -1) -> Any:
    if len(tensors) == 1:
        return tensors[0]
    return keras.layers.Concatenate(axis=axis, dtype=dtype, name=name)(tensors)


def array(variable: Any) -> NDArray[np.float64]:
    """Return a variable of any float type as float64, in which folding is done."""
    return np.asarray(ops.convert_to_numpy(variable)).astype(np.float64)


def precision(layer: keras.layers.Layer) -> str:
    """Return the type that a layer's copy computes in: float64 if the layer does, else float32."""
    return "float64" if layer.compute_dtype == "float64" else "float32"


def scale_and_shift(
    norm: keras.layers.BatchNormalization,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the factor and the summand of a batch norm for each channel, outside of training.

    Returns:
        gamma / √(variance + epsilon) and beta - mean · that, arrays (channels,).
    """
    scale = 1 / np.sqrt(array(norm.moving_variance) + norm.epsilon)
    if norm.scale:
        scale *= array(norm.gamma)
    shift = -array(norm.moving_mean) * scale
    if norm.center:
        shift += array(norm.beta)
    return scale, shift


def convolution(
    maps: Any,
    kernel: NDArray,
    bias: NDArray | None,
    *,
    name: str,
    dtype: str,
    strides: int = 1,
    activation: str | None = None,
) -> Any:
    """Convolve a feature map with zero padding of half the kernel size on every side.

    Args:
        maps: Tensor (batch, height, width, channels).
        kernel: Array (size, size, channels, filters), of odd size.
        bias: Array (filters,), or None.
        name: Name of the layer.
        dtype: Type that the layer computes in.
        strides: Strides in both directions.
        activation: None or `"relu"`.
    """
    margin = kernel.shape[0] // 2
    # Keras's "same" is this padding at stride 1 only.
    if margin and strides > 1:
        maps = keras.layers.ZeroPadding2D(
            margin, data_format="channels_last", dtype=dtype, name=f"{name}_pad"
        )(maps)
    layer = conv_layer(
        kernel,
        bias,
        name=name,
        dtype=dtype,
        strides=strides,
        padding="same" if margin and strides == 1 else "valid",
        activation=activation,
    )
    return layer(maps)


def conv_layer(
    kernel: NDArray, bias: NDArray | None, *, name: str, dtype: str, **arguments: Any
) -> keras.layers.Conv2D:
    """Return a Conv2D with this kernel (size, size, channels, filters) and bias (filters,)."""
    layer = keras.layers.Conv2D(
        kernel.shape[-1],
        kernel.shape[:2],
        data_format="channels_last",
        use_bias=bias is not None,
        kernel_initializer="zeros",
        dtype=dtype,
        name=name,
        **arguments,
    )
    layer.build((None, None, None, kernel.shape[2]))
    layer.set_weights([kernel] if bias is None else [kernel, bias])
    return layer


def depthwise(
    maps: Any,
    kernel: NDArray,
    bias: NDArray | None = None,
    *,
    name: str,
    dtype: str,
    activation: str | None = None,
) -> Any:
    """Convolve each channel separately with a kernel (size, size, channels, 1), at stride 1."""
    layer = keras.layers.DepthwiseConv2D(
        kernel.shape[:2],
        padding="same",
        data_format="channels_last",
        activation=activation,
        use_bias=bias is not None,
        depthwise_initializer="zeros",
        dtype=dtype,
        name=name,
    )
    layer.build((None, None, None, kernel.shape[2]))
    layer.set_weights([kernel] if bias is None else [kernel, bias])
    return layer(maps)
