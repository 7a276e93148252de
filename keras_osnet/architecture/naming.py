"""Map variables to torchreid state-dict names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_osnet.architecture.configuration import CHANNELS, STAGES, Configuration
from keras_osnet.layers import AggregationGate, ConvNorm2D, LiteConv2D, OmniScaleBlock
from keras_osnet.layers.omni_scale_block import stream_depths

_LAYOUTS = {
    # torch (out, in, height, width) <-> Keras (height, width, in, out)
    "convolution": ((2, 3, 1, 0), (3, 2, 0, 1)),
    # torch (channels, 1, height, width) <-> Keras (height, width, channels, 1)
    "depthwise": ((2, 3, 0, 1), (2, 3, 0, 1)),
    # torch (out, in) <-> Keras (in, out)
    "dense": ((1, 0), (1, 0)),
    "vector": ((0,), (0,)),
    "streams": ((0, 1), (0, 1)),
}

GEM, NECK, SCALE = "gem.p", "neck.", "classifier.scale"
"""Names of what torchreid does not have: the exponent of GeM, the neck's tensors, and a number that
stands for the argument `classifier_scale`."""


@dataclass(frozen=True)
class NamedVariable:
    """A variable of a Keras model and its name in a torchreid state dict.

    Attributes:
        name: Name in the state dict, without a `module.` prefix.
        variable: The Keras variable.
        layout: How the two arrange the same numbers: `"convolution"`, `"depthwise"`, `"dense"`,
            `"vector"`, `"streams"` or `"pointwise"` (dense in Keras, a 1×1 convolution in torch).
    """

    name: str
    variable: keras.Variable
    layout: str

    @property
    def torch_shape(self) -> tuple[int, ...]:
        """Shape of the tensor in the state dict."""
        shape = tuple(self.variable.shape)
        if self.layout == "pointwise":
            return (shape[1], shape[0], 1, 1)
        return tuple(shape[axis] for axis in _LAYOUTS[self.layout][1])

    def to_keras(self, tensor: np.ndarray) -> np.ndarray:
        """Arrange a state dict's tensor as the variable."""
        if self.layout == "pointwise":
            return tensor[:, :, 0, 0].T
        return tensor.transpose(_LAYOUTS[self.layout][0])

    def to_torch(self) -> np.ndarray:
        """Return the variable's value arranged as in a state dict, contiguous."""
        value = self.variable
        if not isinstance(value, keras.Variable):  # a sum with LoRA, on torch with a gradient
            value = keras.ops.convert_to_numpy(value)
        value = np.asarray(value).copy()  # `np.array` warns of Keras's `__array__`
        if self.layout == "pointwise":
            return np.ascontiguousarray(value.T[:, :, None, None])
        return np.ascontiguousarray(value.transpose(_LAYOUTS[self.layout][1]))


def named_variables(model: keras.Model, *, to_assign: bool = False) -> list[NamedVariable]:
    """Return all variables of an OSNet under their torchreid names, in the network's order.

    Where LoRA is enabled, the kernel is the sum of the layer's own and the LoRA update.

    torchreid has two naming schemes, one per source file: OSNet-AIN's (`conv2.0.conv2.1.layers.0`,
    `pool2.0`) and that of the others (`conv2.0.conv2b.0`, `conv2.2.0`). Layers that torchreid
    cannot build (the ablations' gates) are named in the same manner.

    Args:
        model: An OSNet.
        to_assign: Whether values will be assigned to the variables.

    Raises:
        ValueError: The model has variables that no OSNet has, is quantized, or has LoRA enabled and
            values are to be assigned.
    """
    check_not_quantized(model)
    inner = [layer for layer in model._flatten_layers() if getattr(layer, "lora_enabled", False)]
    if inner and to_assign:
        raise ValueError(
            "`model` must not have LoRA enabled when weights are loaded: load them first. "
            f"Received: {model.name} with LoRA in {inner[0].path}"
        )
    blocks = [layer for layer in model.layers if isinstance(layer, OmniScaleBlock)]
    is_ain = any(block.instance_norm == "residual" for block in blocks)
    named: list[NamedVariable] = []
    for layer in model.layers:
        named.extend(_layer(layer, blocks, is_ain))

    known = {id(entry.variable) for entry in named}
    known |= {id(variable) for layer in inner for variable in layer.weights}
    unknown = [variable.path for variable in model.weights if id(variable) not in known]
    if unknown or not blocks:
        more = ", …" if len(unknown) > 5 else ""
        raise ValueError(
            "`model` must be an OSNet itself, as `keras_osnet.OSNet` builds it, not one inside of "
            f"another model or with layers on top. Received: {model.name}, "
            + (f"with {', '.join(unknown[:5])}{more}" if unknown else "without its blocks")
        )
    return named


def check_not_quantized(model: keras.Model) -> None:
    """Raise ValueError if Keras has quantized a layer, as its float kernel is lost then."""
    quantized = [layer for layer in model._flatten_layers() if layer.quantization_mode is not None]
    if quantized:
        raise ValueError(
            "`model` must not be quantized by Keras: do this before `model.quantize`. "
            f"Received: {model.name} with {quantized[0].path} in {quantized[0].quantization_mode}"
        )


def is_finite(variable: keras.Variable) -> bool:
    """Return whether a variable has no NaN and no infinity."""
    value = keras.ops.convert_to_numpy(variable)
    return value.dtype.kind not in "fV" or bool(np.isfinite(value.astype("float32")).all())


def _layer(
    layer: keras.Layer, blocks: Sequence[OmniScaleBlock], is_ain: bool
) -> Iterator[NamedVariable]:
    if isinstance(layer, OmniScaleBlock):
        stage, number = layer.name.split("_block")
        yield from _block(f"{stage}.{int(number) - 1}", layer, is_ain)
    elif layer.name in ("conv1", "conv5"):
        yield from _conv_norm(layer.name, layer)
    elif layer.name in ("transition2", "transition3"):
        stage = layer.name[-1]
        depth = sum(block.name.startswith(f"conv{stage}_") for block in blocks)
        yield from _conv_norm(f"pool{stage}.0" if is_ain else f"conv{stage}.{depth}.0", layer)
    elif layer.name == "fc":
        yield from _dense("fc.0", layer, "dense")
    elif layer.name == "fc_norm":
        yield from _batch_norm("fc.1", layer)
    elif layer.name == "pooled" and layer.weights:
        yield NamedVariable(GEM, layer.exponent, "vector")
    elif layer.name == "neck":
        yield from _batch_norm("neck", layer)
    elif layer.name == "logits":
        yield from _dense("classifier", layer, "dense")


def _block(name: str, block: OmniScaleBlock, is_ain: bool) -> Iterator[NamedVariable]:
    yield from _conv_norm(f"{name}.conv1", block.reduce)
    for index, stream in enumerate(block.streams):
        for step, layer in enumerate(stream):
            if is_ain:
                stream_name = f"{name}.conv2.{index}.layers.{step}"
            elif len(stream) == 1:
                stream_name = f"{name}.conv2{chr(ord('a') + index)}"
            else:
                stream_name = f"{name}.conv2{chr(ord('a') + index)}.{step}"
            if isinstance(layer, LiteConv2D):
                yield from _lite_conv(stream_name, layer)
            else:
                yield from _conv_norm(stream_name, layer)
    if block.gate is not None:
        yield from _gate(f"{name}.gate", block.gate)
    instance_norm = block.norm
    if block.instance_norm == "residual":
        kernel = block.expand.convolution.kernel
        yield NamedVariable(f"{name}.conv3.conv.weight", kernel, "convolution")
        instance_norm = block.expand.norm
    else:
        yield from _conv_norm(f"{name}.conv3", block.expand)
    if block.shortcut is not None:
        yield from _conv_norm(f"{name}.downsample", block.shortcut)
    if instance_norm is not None:
        yield from _affine(f"{name}.IN", instance_norm)


def _gate(name: str, gate: AggregationGate) -> Iterator[NamedVariable]:
    if gate.kind == "fixed":
        yield NamedVariable(f"{name}.logits", gate.gate_logits, "streams")
        return
    for index, (squeeze, excite) in enumerate(zip(gate.squeeze, gate.excite, strict=True)):
        own = f"{name}.{index}" if gate.kind == "separate" else name
        yield from _dense(f"{own}.fc1", squeeze, "pointwise")
        yield from _dense(f"{own}.fc2", excite, "pointwise")


def _lite_conv(name: str, layer: LiteConv2D) -> Iterator[NamedVariable]:
    yield NamedVariable(f"{name}.conv1.weight", layer.pointwise.kernel, "convolution")
    yield NamedVariable(f"{name}.conv2.weight", layer.depthwise.kernel, "depthwise")
    yield from _batch_norm(f"{name}.bn", layer.norm)


def _conv_norm(name: str, layer: ConvNorm2D) -> Iterator[NamedVariable]:
    yield NamedVariable(f"{name}.conv.weight", layer.convolution.kernel, "convolution")
    if isinstance(layer.norm, keras.layers.BatchNormalization):
        yield from _batch_norm(f"{name}.bn", layer.norm)
    elif layer.norm is not None:
        yield from _affine(f"{name}.bn", layer.norm)


def _batch_norm(name: str, layer: Any) -> Iterator[NamedVariable]:
    yield from _affine(name, layer)
    yield NamedVariable(f"{name}.running_mean", layer.moving_mean, "vector")
    yield NamedVariable(f"{name}.running_var", layer.moving_variance, "vector")


def _affine(name: str, layer: Any) -> Iterator[NamedVariable]:
    yield NamedVariable(f"{name}.weight", layer.gamma, "vector")
    if layer.beta is not None:
        yield NamedVariable(f"{name}.bias", layer.beta, "vector")


def _dense(name: str, layer: Any, layout: str) -> Iterator[NamedVariable]:
    yield NamedVariable(f"{name}.weight", layer.kernel, layout)
    if getattr(layer, "bias", None) is not None:
        yield NamedVariable(f"{name}.bias", layer.bias, "vector")


def architecture_of(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the arguments of `keras_osnet.OSNet` that build the network of a state dict.

    Args:
        tensors: Arrays under plain torchreid names.

    Returns:
        `width`, `variant`, `feature_dim` and `classes` (None without a classifier); `pooling`,
        `neck` and `classifier_scale` where the tensors say more than torchreid's.

    Raises:
        ValueError: The tensors are not an OSNet's, or the sizes of the stem, conv5, the embedding
            and the classifier, which decide how large the network is, do not fit each other.
    """
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    stem = shapes.get("conv1.conv.weight", ())
    if len(stem) != 4 or 0 in stem:
        raise ValueError(
            f"conv1.conv.weight must have four dimensions. Received: {stem or 'no such tensor'}"
        )
    features = stem[0] * CHANNELS[-1] // CHANNELS[0]
    expected = {"conv5.conv.weight": (features, features, 1, 1)}
    for name in ("fc.0.weight", "classifier.weight"):
        if name in shapes:
            expected[name] = (*shapes[name][:1], features)
            features = expected[name][0]
    for name, shape in expected.items():
        if shapes.get(name) != shape or 0 in shape:
            raise ValueError(
                f"{name} does not fit the tensors before it, and must have the shape {shape}. "
                f"Received: {shapes.get(name, 'no such tensor')}"
            )
    is_ain, is_ibn = "pool2.0.conv.weight" in shapes, "conv2.0.IN.weight" in shapes
    added: dict[str, Any] = {}
    if GEM in shapes:
        added["pooling"] = "gem"
    if f"{NECK}weight" in shapes:
        added["neck"] = "bn"
    if SCALE in shapes:
        added["classifier_scale"] = _scale(tensors[SCALE])
    return {
        "width": stem[0] / CHANNELS[0],
        "variant": "ain" if is_ain else "ibn" if is_ibn else "base",
        "feature_dim": shapes["fc.0.weight"][0] if "fc.0.weight" in shapes else None,
        "classes": classes_in(tensors),
        **added,
    }


def _scale(tensor: np.ndarray) -> float:
    """Return the scale that a state dict has, or raise ValueError."""
    if tensor.size != 1:
        raise ValueError(f"{SCALE} must be a number. Received: shape {tensor.shape}")
    return float(tensor.reshape(()))


def check_description(description: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
    """Check that arguments of `keras_osnet.OSNet` fit the tensors beside them, before it is built.

    Raises:
        ValueError: An argument is wrong, or is not that of the tensors.
    """
    given = {name: description[name] for name in Configuration.names() if name in description}
    configuration = Configuration(**given)
    depths = tuple(
        sum(f"{stage}.{block}.conv1.conv.weight" in tensors for block in range(len(tensors)))
        for stage in STAGES
    )
    found = {**architecture_of(tensors), "depths": depths}
    del found["variant"]  # which the names tell only where blocks are those of the paper
    found.setdefault("neck", None)
    if configuration.pooling == "gem":
        found.setdefault("pooling", "none with an exponent")
    if configuration.classes is None:
        found.pop("classes")
        found.pop("classifier_scale", None)
    for name, value in found.items():
        if getattr(configuration, name) != value:
            raise ValueError(
                f"`{name}` must be that of the tensors, {value!r}. "
                f"Received: {getattr(configuration, name)!r}"
            )
    layers = sum(stream_depths(configuration.streams))
    if layers > len(tensors):
        raise ValueError(
            f"`streams` must be those of the tensors. Received: {configuration.streams!r}"
        )


def classes_in(tensors: Mapping[str, np.ndarray]) -> int | None:
    """Return the number of rows of the classifier, None if there is none."""
    classifier = tensors.get("classifier.weight")
    return None if classifier is None else (*classifier.shape, 0)[0]


def describe_tensors(tensors: Mapping[str, np.ndarray]) -> str:
    """Describe a state dict in words, for error messages."""
    try:
        architecture = architecture_of(tensors)
    except ValueError:
        return "tensors that are not an OSNet's"
    return (
        f"the tensors of an OSNet with width={architecture['width']:g}, "
        f"variant={architecture['variant']!r}"
    )
