"""The network: preprocessing, convolutional backbone and head, as layers on an image tensor."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_osnet._utils.constants import MEAN, STD
from keras_osnet.architecture.configuration import STAGES, Configuration
from keras_osnet.architecture.preprocessing import preprocessing_layer
from keras_osnet.layers import aggregation_gate, initializers
from keras_osnet.layers.conv_norm import ConvNorm2D
from keras_osnet.layers.cosine_classifier import CosineClassifier
from keras_osnet.layers.gem import GeM
from keras_osnet.layers.omni_scale_block import OmniScaleBlock
from keras_osnet.layers.policies import policy_of

HEAD_OUTPUTS = ("pooled", "features", "embedding", "normalized", "logits", "predictions")
"""Intermediates that heads compute, in this order."""

_POOLING_LAYERS = {
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
}


def network(image: Any, configuration: Configuration, dtype: Any) -> dict[str, Any]:
    """Build an OSNet on an image tensor.

    Args:
        image: Tensor (batch, height, width, channels).
        configuration: The architecture.
        dtype: Dtype policy of the layers.

    Returns:
        The named intermediates, those of the head included. The last one is the result.
    """
    if configuration.include_preprocessing:
        image = preprocessing_layer(configuration.mean or MEAN, configuration.std or STD)(image)
    return head(backbone(image, configuration, dtype), configuration, dtype)


def backbone(image: Any, configuration: Configuration, dtype: Any) -> dict[str, Any]:
    """Build the convolutional part of OSNet (paper, Table 1) on an image tensor.

    Args:
        image: Tensor (batch, height, width, 3), normalized as `preprocess_input` does.
        configuration: The architecture. Gating vectors are among the intermediates if its
            `outputs` name any.
        dtype: Dtype policy of the layers.

    Returns:
        The named intermediates in the order of the network: `conv1`, `maxpool` (with the ImageNet
        stem), and for each stage the blocks (`conv2_block1`, …), their gating vectors
        (`conv2_block1_gates`, …), the stage (`conv2`, the same tensor as its last block's) and the
        transition to the next (`transition2`); last `conv5`, the feature map that the heads pool.
    """
    stem, *stages = configuration.channels
    has_gates = configuration.fusion in aggregation_gate.KINDS
    gates = has_gates and any(
        str(output).endswith("_gates") for output in configuration.outputs or ()
    )
    named: dict[str, Any] = {}

    is_large = configuration.stem == "imagenet"
    maps = named["conv1"] = ConvNorm2D(
        stem,
        kernel_size=7 if is_large else 3,
        strides=2 if is_large else 1,
        normalization=configuration.stem_norm,
        dtype=dtype,
        name="conv1",
    )(image)
    if is_large:
        # Zero padding is equivalent to torchreid's minus infinity: no value is negative after ReLU.
        maps = keras.layers.ZeroPadding2D(
            1, data_format="channels_last", dtype=dtype, name="maxpool_pad"
        )(maps)
        maps = named["maxpool"] = keras.layers.MaxPooling2D(
            3, strides=2, data_format="channels_last", dtype=dtype, name="maxpool"
        )(maps)

    for index, (stage, filters) in enumerate(zip(STAGES, stages, strict=True)):
        for number in range(configuration.depths[index]):
            name = f"{stage}_block{number + 1}"
            block = OmniScaleBlock(
                filters,
                streams=configuration.streams,
                fusion=configuration.fusion,
                convolution=configuration.convolution,
                instance_norm=configuration.instance_norm(index, number),
                dtype=dtype,
                name=name,
            )
            if gates:
                maps, named[f"{name}_gates"] = block(maps, return_gates=True)
            else:
                maps = block(maps)
            named[name] = maps
        named[stage] = maps
        if stage != STAGES[-1]:
            name = stage.replace("conv", "transition")
            maps = ConvNorm2D(filters, dtype=dtype, name=name)(maps)
            maps = named[name] = keras.layers.AveragePooling2D(
                2, data_format="channels_last", dtype=dtype, name=f"{name}_pool"
            )(maps)

    named["conv5"] = ConvNorm2D(stages[-1], dtype=dtype, name="conv5")(maps)
    return named


def head(named: Mapping[str, Any], configuration: Configuration, dtype: Any) -> dict[str, Any]:
    """Build the head of an architecture on its last feature map.

    Embeddings, logits and predictions are float32 under every precision policy, because distances
    between embeddings are small differences.

    Args:
        named: Intermediates, `conv5` among them. Those of a head are reused with their layers, if
            the architecture has them.
        configuration: The architecture.
        dtype: Dtype policy of the layers.

    Returns:
        The intermediates with the head's, as far as the architecture has them: `pooled`
        (batch, channels), `features` (the embedding before a neck), `embedding` (batch,
        feature_dim), `normalized`, `logits` and `predictions` (batch, classes). The last one is
        the result.
    """
    built = {name: tensor for name, tensor in named.items() if name not in HEAD_OUTPUTS}
    result = built["conv5"]

    def add(name: str, build: Any, *arguments: Any) -> Any:
        built[name] = named[name] if name in named else build(result, *arguments)
        return built[name]

    if configuration.pooling:
        result = add("pooled", _pooled, configuration.pooling, dtype)
    if configuration.head and configuration.neck:
        result = add("features", _embedding, configuration.feature_dim, dtype, "features")
        result = add("embedding", _neck)
    elif configuration.head:
        result = add("embedding", _embedding, configuration.feature_dim, dtype)
    if configuration.normalize:
        result = add("normalized", _normalized)
    if configuration.classes:
        has_bias = configuration.neck is None
        scale = configuration.classifier_scale
        result = add("logits", _logits, configuration.classes, dtype, has_bias, scale)
        result = add("predictions", _predictions, configuration.classifier_activation)
    return built


def classifier(
    features: Any,
    classes: int,
    activation: Any,
    dtype: Any = None,
    *,
    scale: float | None = None,
) -> tuple[Any, Any]:
    """Map an embedding to logits and predictions, both (batch, classes) and float32.

    With a scale the logits are that times the cosines; see `CosineClassifier`.
    """
    logits = _logits(features, classes, dtype, scale=scale)
    return logits, _predictions(logits, activation)


def _pooled(maps: Any, pooling: str, dtype: Any) -> Any:
    if pooling == "gem":
        return GeM(name="pooled")(maps)
    layer = _POOLING_LAYERS[pooling]
    return layer(data_format="channels_last", dtype=dtype, name="pooled")(maps)


def _embedding(features: Any, feature_dim: int | None, dtype: Any, name: str = "embedding") -> Any:
    if feature_dim is None:
        return keras.layers.Activation("linear", dtype="float32", name=name)(features)
    features = keras.layers.Dense(
        feature_dim,
        kernel_initializer=initializers.dense_initializer(),
        dtype=policy_of(dtype, "fc"),
        name="fc",
    )(features)
    features = initializers.batch_norm(dtype=dtype, name="fc_norm")(features)
    return keras.layers.Activation("relu", dtype="float32", name=name)(features)


def _neck(features: Any) -> Any:
    """Add the neck of Luo et al. (2019): a batch norm without a shift."""
    features = initializers.batch_norm(center=False, dtype="float32", name="neck")(features)
    return keras.layers.Activation("linear", dtype="float32", name="embedding")(features)


def _normalized(features: Any) -> Any:
    return keras.layers.UnitNormalization(axis=-1, dtype="float32", name="normalized")(features)


def _logits(
    features: Any, classes: int, dtype: Any, has_bias: bool = True, scale: float | None = None
) -> Any:
    if scale is not None:
        return CosineClassifier(classes, scale, name="logits")(features)
    return keras.layers.Dense(
        classes,
        use_bias=has_bias,
        kernel_initializer=initializers.dense_initializer(),
        dtype=policy_of(dtype, "logits", default="float32"),
        name="logits",
    )(features)


def _predictions(logits: Any, activation: Any) -> Any:
    if activation is None:
        return logits
    return keras.layers.Activation(activation, dtype="float32", name="predictions")(logits)
