"""The arguments of `keras_osnet.OSNet` that rebuild a given model, read off its layers."""

import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_osnet._utils.constants import MEAN, STD
from keras_osnet.architecture.state_dict import STEM_CHANNELS
from keras_osnet.layers import OmniScaleBlock

_STAGES = ("conv2", "conv3", "conv4")
_STEM_KERNELS = {7: "imagenet", 3: "cifar"}
_STEM_NORMS = {"base": "batch", "ibn": "instance", "ain": "instance"}

_LAYERS = re.compile(
    r"preprocessing|conv1|maxpool(_pad)?|conv[234]_block\d+|transition[23](_pool)?|conv5|pooled|"
    r"fc|fc_norm|embedding|normalized|logits|predictions"
)
_ENDS = ("conv5", "pooled", "embedding", "normalized", "logits", "predictions")
_OUTPUTS = re.compile(
    r"conv1|maxpool|conv[234](_block\d+(_gates)?)?|transition[23]|" + "|".join(_ENDS)
)


def describe_model(model: keras.Model) -> dict[str, Any]:
    """Return the arguments of `keras_osnet.OSNet` that rebuild a model, without its weights.

    Only the layers are looked at, so a model reloaded from a `.keras` file, or cut off at one of
    its intermediates by `keras.Model`, is described as well as a new one. What two calls build
    alike is described as one of them: scores under a sigmoid are an attribute head's. For a model
    made with `outputs=`, the description is that of the part that these outputs need, and names
    them. The name, the precision policy and what is trainable are not described.

    Args:
        model: An OSNet that reaches the last maps (conv5) at least.

    Returns:
        Keyword arguments that JSON can hold: all that shape the backbone, even at their default;
        of those of the head, the ones that apply to it.

    Raises:
        ValueError: The model is not an OSNet, or not one that `keras_osnet.OSNet` can build.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.architecture import describe_model
        >>> description = describe_model(keras_osnet.OSNet(0.25, head="embedding"))
        >>> description["width"], description["head"], description["feature_dim"]
        (0.25, 'embedding', 512)
    """
    layers = {
        layer.name: layer
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    }
    _check_layers(model, layers)
    description = {
        **_backbone(model, layers),
        "input_shape": list(model.inputs[0].shape[1:]),
        **_preprocessing(layers.get("preprocessing")),
        **_head(model, layers),
    }
    if isinstance(model.output, Mapping):
        description["outputs"] = list(model.output)
    return description


def _backbone(model: keras.Model, layers: Mapping[str, Any]) -> dict[str, Any]:
    blocks = [layer for layer in layers.values() if isinstance(layer, OmniScaleBlock)]
    kinds = {
        (block.depths, block.fusion, block.convolution, block.reduction, block.gate_reduction)
        for block in blocks
    }
    depths = [sum(block.name.startswith(f"{stage}_") for block in blocks) for stage in _STAGES]
    if len(kinds) != 1 or 0 in depths:
        raise _not_an_osnet(model, f"its three stages are not made of one kind of block: {kinds}")
    streams, fusion, convolution, reduction, gate_reduction = kinds.pop()
    if (reduction, gate_reduction) != (4, 16):
        raise _not_an_osnet(
            model, f"its blocks have reduction={reduction}, gate_reduction={gate_reduction}"
        )
    norms = {block.instance_norm for block in blocks}
    variant = "ain" if "residual" in norms else "ibn" if "output" in norms else "base"
    stem = layers["conv1"]
    if stem.normalization != _STEM_NORMS[variant] or stem.kernel_size not in _STEM_KERNELS:
        raise _not_an_osnet(
            model,
            f"its stem has normalization={stem.normalization!r}, kernel_size={stem.kernel_size}",
        )
    is_ladder = streams == tuple(range(1, len(streams) + 1))
    return {
        "width": stem.filters / STEM_CHANNELS,
        "variant": variant,
        "depths": depths,
        "streams": len(streams) if is_ladder else list(streams),
        "fusion": fusion,
        "convolution": convolution,
        "stem": _STEM_KERNELS[stem.kernel_size],
    }


def _preprocessing(layer: Any) -> dict[str, Any]:
    if layer is None:
        return {"include_preprocessing": False}
    std = [1 / (255 * scale) for scale in layer.scale]
    mean = [-offset * each for offset, each in zip(layer.offset, std, strict=True)]
    usual = np.allclose(mean, MEAN, atol=1e-9) and np.allclose(std, STD, atol=1e-9)
    return {
        "include_preprocessing": True,
        **({} if usual else {"mean": np.round(mean, 9).tolist(), "std": np.round(std, 9).tolist()}),
    }


def _head(model: keras.Model, layers: Mapping[str, Any]) -> dict[str, Any]:
    pooled = layers.get("pooled")
    pooling = None if pooled is None else _pooling(pooled)
    if "embedding" not in layers:
        return {"include_top": False, "pooling": pooling}
    head = {"feature_dim": layers["fc"].units if "fc" in layers else None, "pooling": pooling}
    if "logits" not in layers:
        return {"head": "embedding", **head, "normalize": "normalized" in layers}
    activation = _activation(model, layers["predictions"]) if "predictions" in layers else None
    return {
        "head": "attribute" if activation == "sigmoid" else "classification",
        **head,
        "classes": layers["logits"].units,
        "classifier_activation": activation,
    }


def _pooling(layer: keras.Layer) -> str:
    return "max" if isinstance(layer, keras.layers.GlobalMaxPooling2D) else "avg"


def _activation(model: keras.Model, layer: Any) -> str:
    name = getattr(layer.activation, "__name__", "")
    if getattr(keras.activations, name, None) is not layer.activation:
        raise _not_an_osnet(
            model, "its classifier's activation is not one that Keras has a name for"
        )
    return name


def _check_layers(model: keras.Model, layers: Mapping[str, Any]) -> None:
    """Refuse what the description would pass over in silence."""
    for name in ("conv1", "conv5"):
        if name not in layers:
            raise _not_an_osnet(model, f"it has no layer {name}")
    unknown = [name for name in layers if not _LAYERS.fullmatch(name)]
    if unknown:
        raise _not_an_osnet(model, f"it has other layers besides: {', '.join(unknown)}")
    *_, last = layers
    if last not in _ENDS:
        raise _not_an_osnet(model, f"it ends in the layer {last}")
    if len(model.inputs) != 1 or isinstance(model.output, (list, tuple)):
        raise _not_an_osnet(model, "it does not have one input, and one output or named ones")
    if isinstance(model.output, Mapping):
        unknown = [name for name in model.output if not _OUTPUTS.fullmatch(name)]
        if unknown:
            raise _not_an_osnet(model, f"it has outputs of other names: {', '.join(unknown)}")


def _not_an_osnet(model: keras.Model, reason: str) -> ValueError:
    return ValueError(
        "`model` must be an OSNet that `keras_osnet.OSNet` can build, from the image to the last "
        f"maps (conv5) at least; {reason}. Received: {model.name}"
    )
