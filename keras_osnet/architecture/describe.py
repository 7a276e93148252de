"""Infer the configuration of a model from its layers."""

import dataclasses
from collections import deque
from collections.abc import Mapping
from typing import Any

import keras

from keras_osnet._utils.constants import MEAN, STD
from keras_osnet.architecture.configuration import CHANNELS, STAGES, Configuration
from keras_osnet.architecture.model import OSNetModel
from keras_osnet.architecture.network import HEAD_OUTPUTS
from keras_osnet.architecture.preprocessing import statistics_of
from keras_osnet.layers.conv_norm import ConvNorm2D
from keras_osnet.layers.cosine_classifier import CosineClassifier
from keras_osnet.layers.gem import GeM
from keras_osnet.layers.omni_scale_block import OmniScaleBlock

_STEMS = {7: "imagenet", 3: "cifar"}


def configuration_of(model: keras.Model) -> Configuration:
    """Return the architecture of a model.

    An `OSNetModel` stores it. For any other functional model it is inferred from the layers: a
    clone, a model that ends at an intermediate, or one with named outputs, where it is the
    configuration of the part that these outputs need.

    Args:
        model: An OSNet that reaches the last feature map (conv5) at least.

    Raises:
        ValueError: The model is not an OSNet, or not one that `keras_osnet.OSNet` can build.
    """
    if isinstance(model, OSNetModel) and model.configuration.outputs is None:
        return model.configuration
    parts = _Parts(model)
    arguments = {**_backbone(model, parts), **_preprocessing(parts), **_head(parts)}
    configuration = Configuration(input_shape=model.inputs[0].shape[1:], **arguments)
    return dataclasses.replace(configuration, outputs=_outputs(model, configuration))


def describe(model: keras.Model) -> dict[str, Any]:
    """Return the arguments of `keras_osnet.OSNet` that rebuild a model, as JSON can hold them.

    Only arguments of the architecture: name, dtype policy and trainability are left out.

    Raises:
        ValueError: As for `configuration_of`; or the classifier's activation has no name.
    """
    arguments = configuration_of(model).to_dict()
    if isinstance(arguments["classifier_activation"], dict):
        raise _not_an_osnet(
            model, "its classifier's activation is not one that Keras has a name for"
        )
    return arguments


class _Parts:
    """The layers of an OSNet in the order of the network, each None where it is missing."""

    def __init__(self, model: keras.Model) -> None:
        self._rest = deque(
            layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)
        )
        self.preprocessing = self._take(keras.layers.Rescaling)
        self.stem = self._take(ConvNorm2D)
        if self.stem is None:
            raise _not_an_osnet(model, "it does not begin with the layer conv1")
        self._take(keras.layers.ZeroPadding2D)
        self._take(keras.layers.MaxPooling2D)
        self.stages: list[list[OmniScaleBlock]] = []
        for stage in STAGES:
            blocks = []
            while self._rest and isinstance(self._rest[0], OmniScaleBlock):
                blocks.append(self._rest.popleft())
            self.stages.append(blocks)
            if stage != STAGES[-1]:
                self._take(ConvNorm2D)
                self._take(keras.layers.AveragePooling2D)
        self.last_map = self._take(ConvNorm2D)
        if self.last_map is None:
            raise _not_an_osnet(model, "it does not reach the layer conv5")
        self.pooled = self._take(
            (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D, GeM)
        )
        self.fc: Any = None
        if len(self._rest) > 1 and isinstance(self._rest[1], keras.layers.BatchNormalization):
            self.fc = self._take(keras.layers.Dense)
            self._take(keras.layers.BatchNormalization)
        self.embedding = self._take(keras.layers.Activation)
        self.neck = self._take(keras.layers.BatchNormalization) if self.embedding else None
        if self.neck:
            self.embedding = self._take(keras.layers.Activation)
        self.normalized = self._take(keras.layers.UnitNormalization)
        classifiers = (keras.layers.Dense, CosineClassifier)
        self.logits = self._take(classifiers) if self.embedding is not None else None
        self.predictions = self._take(keras.layers.Activation) if self.logits is not None else None
        last = self.neck or self.fc
        if self._rest or (last is not None and self.embedding is None):
            rest = ", ".join(layer.name for layer in self._rest or [last])
            raise _not_an_osnet(model, f"it has other layers or ends in between: {rest}")
        if isinstance(self.logits, keras.layers.Dense) and self.logits.use_bias != (not self.neck):
            raise _not_an_osnet(model, f"its classifier has use_bias={self.logits.use_bias}")

    def _take(self, kind: Any) -> Any:
        """Return the next layer if it is of a kind, else None."""
        if self._rest and isinstance(self._rest[0], kind):
            return self._rest.popleft()
        return None


def _backbone(model: keras.Model, parts: _Parts) -> dict[str, Any]:
    depths = tuple(len(blocks) for blocks in parts.stages)
    kinds = {
        (block.depths, block.fusion, block.convolution, block.reduction, block.gate_reduction)
        for blocks in parts.stages
        for block in blocks
    }
    if len(kinds) != 1 or 0 in depths:
        raise _not_an_osnet(model, f"its three stages are not made of one kind of block: {kinds}")
    streams, fusion, convolution, reduction, gate_reduction = kinds.pop()
    norms = {block.instance_norm for blocks in parts.stages for block in blocks}
    stem = parts.stem
    arguments = {
        "width": stem.filters / CHANNELS[0],
        "variant": "ain" if "residual" in norms else "ibn" if "output" in norms else "base",
        "depths": depths,
        "streams": streams,
        "fusion": fusion,
        "convolution": convolution,
        "stem": _STEMS.get(stem.kernel_size),
    }
    if (reduction, gate_reduction) != (4, 16) or arguments["stem"] is None:
        raise _not_an_osnet(
            model,
            f"its blocks have reduction={reduction}, gate_reduction={gate_reduction}, its stem "
            f"kernel_size={stem.kernel_size}",
        )
    if stem.normalization != Configuration(**arguments).stem_norm:
        raise _not_an_osnet(model, f"its stem has normalization={stem.normalization!r}")
    return arguments


def _preprocessing(parts: _Parts) -> dict[str, Any]:
    if parts.preprocessing is None:
        return {}
    mean, std = statistics_of(parts.preprocessing)
    own = {} if (mean, std) == (MEAN, STD) else {"mean": mean, "std": std}
    return {"include_preprocessing": True, **own}


def _head(parts: _Parts) -> dict[str, Any]:
    kinds = {keras.layers.GlobalMaxPooling2D: "max", GeM: "gem"}
    pooling = None if parts.pooled is None else kinds.get(type(parts.pooled), "avg")
    if parts.embedding is None:
        return {"include_top": False, "pooling": pooling}
    arguments = {
        "pooling": pooling,
        "feature_dim": parts.fc.units if parts.fc else None,
        "neck": "bn" if parts.neck else None,
    }
    if parts.logits is None:
        normalize = parts.normalized is not None
        return {**arguments, "head": "embedding", "normalize": normalize}
    is_cosine = isinstance(parts.logits, CosineClassifier)
    activation = None if parts.predictions is None else parts.predictions.activation
    name = getattr(activation, "__name__", "")
    if getattr(keras.activations, name, None) is activation:
        activation = name or None
    return {
        **arguments,
        "head": "attribute" if activation == "sigmoid" else "classification",
        "classes": parts.logits.classes if is_cosine else parts.logits.units,
        "classifier_activation": activation,
        "classifier_scale": parts.logits.scale if is_cosine else None,
    }


def _outputs(model: keras.Model, configuration: Configuration) -> tuple[str, ...] | None:
    if len(model.inputs) != 1 or isinstance(model.output, (list, tuple)):
        raise _not_an_osnet(model, "it does not have one input, and one output or named ones")
    if not isinstance(model.output, Mapping):
        return None
    known = {"conv1", "maxpool", "transition2", "transition3", *STAGES, "conv5", *HEAD_OUTPUTS}
    for stage, depth in zip(STAGES, configuration.depths, strict=True):
        for number in range(1, depth + 1):
            known |= {f"{stage}_block{number}", f"{stage}_block{number}_gates"}
    unknown = [name for name in model.output if name not in known]
    if unknown:
        raise _not_an_osnet(model, f"it has outputs of other names: {', '.join(unknown)}")
    return tuple(model.output)


def _not_an_osnet(model: keras.Model, reason: str) -> ValueError:
    return ValueError(
        "`model` must be an OSNet that `keras_osnet.OSNet` can build, from the image to the last "
        f"feature map (conv5) at least; {reason}. Received: {model.name}"
    )
