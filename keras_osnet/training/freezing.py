"""Letting only a part of a network learn."""

from collections.abc import Collection

import keras


def freeze_except(model: keras.Model, layers: Collection[str] | None) -> None:
    """Freeze all layers but some, or none.

    A frozen layer's variables stand still, batch norm's moving statistics among them, and batch
    norm normalises by these: the network is a fixed function, as the reference's is while it trains
    the classifier alone. Compile the model afterwards, or Keras trains what it did before.

    Args:
        model: The model, nested models included.
        layers: Names of the layers to train; None trains all.

    Raises:
        ValueError: If a name is no layer's.

    Example:
        >>> import keras
        >>> layers = [keras.layers.BatchNormalization(), keras.layers.Dense(2, name="fc")]
        >>> model = keras.Sequential([keras.Input((4,)), *layers])
        >>> freeze_except(model, {"fc"})
        >>> [variable.name for variable in model.trainable_variables]
        ['kernel', 'bias']
    """
    everything = _layers(model)
    unknown = set(layers or ()) - {layer.name for layer in everything}
    if unknown:
        raise ValueError(
            f"`layers` must be names of layers of {model.name}. "
            f"Received: {', '.join(sorted(unknown))}"
        )
    model.trainable = True
    for layer in everything:
        layer.trainable = layers is None or layer.name in layers


def _layers(model: keras.Model) -> list[keras.Layer]:
    """Layers of the graph, those of nested models in their place."""
    found: list[keras.Layer] = []
    for layer in model.layers:
        found += _layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found
