"""From the last maps to an embedding, identities or attributes."""

from typing import Any

import keras

from keras_osnet.layers import initializers

POOLINGS = ("avg", "max")
HEADS = ("classification", "attribute", "embedding")


def pooled(maps: Any, pooling: str) -> Any:
    """Pool maps (batch, height, width, channels) to (batch, channels), over the whole image."""
    layer = {
        "avg": keras.layers.GlobalAveragePooling2D,
        "max": keras.layers.GlobalMaxPooling2D,
    }[pooling]
    return layer(data_format="channels_last", name="pooled")(maps)


def embedding(features: Any, feature_dim: int | None) -> Any:
    """Map pooled features to the embedding (batch, feature_dim): dense, batch norm, ReLU.

    Without a `feature_dim` the pooled features are the embedding. It is float32 under every
    precision policy, because distances between embeddings are small differences.
    """
    if feature_dim is None:
        return keras.layers.Activation("linear", dtype="float32", name="embedding")(features)
    features = keras.layers.Dense(
        feature_dim, kernel_initializer=initializers.dense_initializer(), name="fc"
    )(features)
    features = initializers.batch_norm(name="fc_norm")(features)
    return keras.layers.Activation("relu", dtype="float32", name="embedding")(features)


def normalized(features: Any) -> Any:
    """Scale embeddings (batch, feature_dim) to length 1 in the L2 norm."""
    return keras.layers.UnitNormalization(axis=-1, dtype="float32", name="normalized")(features)


def classifier(features: Any, classes: int, activation: Any) -> tuple[Any, Any]:
    """Map the embedding to logits and predictions, both (batch, classes) and float32."""
    logits = keras.layers.Dense(
        classes, kernel_initializer=initializers.dense_initializer(), dtype="float32", name="logits"
    )(features)
    if activation is None:
        return logits, logits
    return logits, keras.layers.Activation(activation, dtype="float32", name="predictions")(logits)
