"""Add a classifier to a backbone for training."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import keras

from keras_osnet.architecture import OSNetModel
from keras_osnet.architecture.model import ends_in_classifier


@dataclass(frozen=True, eq=False)
class Network:
    """Three models that share all variables.

    Attributes:
        trained: The model for `fit`. Its outputs are a dict of those that have a loss: `logits`
            (batch, classes) and, with a triplet loss, `embedding` (batch, dim).
        embedder: The backbone: image to embedding.
        classifier: Image to predictions (batch, classes). This is the model that is saved; of an
            OSNet, the one that `OSNet(classes=…)` builds.
    """

    trained: keras.Model
    embedder: keras.Model
    classifier: keras.Model


def add_classifier(
    backbone: Any, classes: int, activation: str, outputs: Collection[str] = ("logits",)
) -> Network:
    """Add a new classifier to a backbone.

    Args:
        backbone: A functional model from one image to an embedding (batch, dim), not normalized:
            `OSNet(head="embedding")`, or a network of Keras's with `pooling="avg"`.
        classes: Number of classes.
        activation: `"softmax"` or `"sigmoid"`.
        outputs: Which of `"embedding"` and `"logits"` are trained. With one output Keras calls
            its metric `accuracy`, with several `logits_accuracy` and so on.

    Raises:
        ValueError: The backbone is not such a model.
    """
    check_backbone(backbone)
    shown = [name for name in ("embedding", "logits") if name in outputs]
    if isinstance(backbone, OSNetModel) and backbone.configuration.head == "embedding":
        head = "attribute" if activation == "sigmoid" else "classification"
        classifier = backbone.replace(head=head, classes=classes, classifier_activation=activation)
        return Network(classifier.replace(outputs=shown), backbone, classifier)
    embedding = backbone.output
    logits, predictions = classifier(embedding, classes, activation)
    both = {"embedding": embedding, "logits": logits}
    return Network(
        trained=keras.Model(
            backbone.input, {name: both[name] for name in shown}, name=backbone.name
        ),
        embedder=backbone,
        classifier=keras.Model(backbone.input, predictions, name=backbone.name),
    )


def without_classifier(classifier: Any) -> keras.Model:
    """Return the backbone of a `Network`'s classifier, with the same variables."""
    if isinstance(classifier, OSNetModel):
        return classifier.replace(head="embedding")
    embedding = classifier.get_layer("logits").input
    return keras.Model(classifier.input, embedding, name=classifier.name)


def check_backbone(backbone: Any) -> None:
    """Raise ValueError unless a classifier can be added to a model."""
    wanted = (
        "`model` must be a functional model from one image (height, width, 3) to an embedding "
        '(batch, dim), such as OSNet(head="embedding")'
    )
    if not isinstance(backbone, keras.Model) or not getattr(backbone, "inputs", None):
        raise ValueError(f"{wanted}. Received: {type(backbone).__name__}")
    shapes = [tuple(tensor.shape) for tensor in (*backbone.inputs, *backbone.outputs)]
    single = len(backbone.inputs) == len(backbone.outputs) == 1
    if not single or len(shapes[0]) != 4 or len(shapes[1]) != 2 or shapes[1][1] is None:
        raise ValueError(f"{wanted}. Received: {backbone.name} with inputs and outputs {shapes}")
    last = backbone.layers[-1]
    if ends_in_classifier(backbone):
        raise ValueError(
            f"{wanted}: training adds its own classifier. Received: {backbone.name}, which ends "
            f"in {last.name}"
        )
    if isinstance(last, keras.layers.UnitNormalization):
        raise ValueError(
            f"{wanted}, not normalized: cross-entropy needs the length of the embedding. "
            f"Received: {backbone.name}, which ends in {last.name}"
        )


def freeze_except(model: keras.Model, layers: Collection[str] | None) -> None:
    """Freeze all layers but the named ones; None unfreezes all.

    The variables of a frozen layer do not change, including the moving statistics of batch norms,
    which then normalize by these: the network is a fixed function, as it is in torchreid while
    only the classifier is trained. Compile the model afterwards; until then Keras trains the same
    variables as before.

    Args:
        model: The model; nested models are included.
        layers: Names of the layers to train; None trains all.

    Raises:
        ValueError: A name is not that of a layer.

    Example:
        >>> import keras
        >>> layers = [keras.layers.BatchNormalization(), keras.layers.Dense(2, name="fc")]
        >>> model = keras.Sequential([keras.Input((4,)), *layers])
        >>> freeze_except(model, {"fc"})
        >>> [variable.name for variable in model.trainable_variables]
        ['kernel', 'bias']
    """
    all_layers = _flatten_layers(model)
    unknown = set(layers or ()) - {layer.name for layer in all_layers}
    if unknown:
        raise ValueError(
            f"`layers` must be names of layers of {model.name}. "
            f"Received: {', '.join(sorted(unknown))}"
        )
    model.trainable = True
    for layer in all_layers:
        layer.trainable = layers is None or layer.name in layers


def _flatten_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the layers of a model, those of nested models in their place."""
    found: list[keras.Layer] = []
    for layer in model.layers:
        found += _flatten_layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found
