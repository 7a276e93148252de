"""Heads: embedding, identity classification and attribute recognition."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_osnet.architecture.configuration import Configuration
from keras_osnet.layers import initializers
from keras_osnet.layers.policies import policy_of

OUTPUTS = ("pooled", "embedding", "normalized", "logits", "predictions")
"""Intermediates that heads compute, in this order."""

_POOLING_LAYERS = {
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
}


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
        (batch, channels), `embedding` (batch, feature_dim), `normalized`, `logits` and
        `predictions` (batch, classes). The last one is the result.
    """
    built = {name: tensor for name, tensor in named.items() if name not in OUTPUTS}
    result = built["conv5"]

    def add(name: str, build: Any, *arguments: Any) -> Any:
        built[name] = named[name] if name in named else build(result, *arguments)
        return built[name]

    if configuration.pooling:
        result = add("pooled", _pooled, configuration.pooling, dtype)
    if configuration.head:
        result = add("embedding", _embedding, configuration.feature_dim, dtype)
    if configuration.normalize:
        result = add("normalized", _normalized)
    if configuration.classes:
        result = add("logits", _logits, configuration.classes, dtype)
        result = add("predictions", _predictions, configuration.classifier_activation)
    return built


def classifier(features: Any, classes: int, activation: Any, dtype: Any = None) -> tuple[Any, Any]:
    """Map an embedding to logits and predictions, both (batch, classes) and float32."""
    logits = _logits(features, classes, dtype)
    return logits, _predictions(logits, activation)


def _pooled(maps: Any, pooling: str, dtype: Any) -> Any:
    layer = _POOLING_LAYERS[pooling]
    return layer(data_format="channels_last", dtype=dtype, name="pooled")(maps)


def _embedding(features: Any, feature_dim: int | None, dtype: Any) -> Any:
    if feature_dim is None:
        return keras.layers.Activation("linear", dtype="float32", name="embedding")(features)
    features = keras.layers.Dense(
        feature_dim,
        kernel_initializer=initializers.dense_initializer(),
        dtype=policy_of(dtype, "fc"),
        name="fc",
    )(features)
    features = initializers.batch_norm(dtype=dtype, name="fc_norm")(features)
    return keras.layers.Activation("relu", dtype="float32", name="embedding")(features)


def _normalized(features: Any) -> Any:
    return keras.layers.UnitNormalization(axis=-1, dtype="float32", name="normalized")(features)


def _logits(features: Any, classes: int, dtype: Any) -> Any:
    return keras.layers.Dense(
        classes,
        kernel_initializer=initializers.dense_initializer(),
        dtype=policy_of(dtype, "logits", default="float32"),
        name="logits",
    )(features)


def _predictions(logits: Any, activation: Any) -> Any:
    if activation is None:
        return logits
    return keras.layers.Activation(activation, dtype="float32", name="predictions")(logits)
