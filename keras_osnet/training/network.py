"""From a backbone to what is trained, and back to what is used."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import keras

from keras_osnet.architecture import PromptModel, heads
from keras_osnet.architecture.feature_extractor import ends_in_classifier


@dataclass(frozen=True, eq=False)
class Network:
    """A backbone with a new classifier, seen from three sides that share all variables.

    Attributes:
        trained: What `fit` gets: a dict of those outputs that have a loss, `logits`
            (batch, classes) and perhaps `embedding` (batch, dim).
        embedder: The backbone: image to embedding.
        classifier: Image to predictions (batch, classes). Of an OSNet, this is what
            `OSNet(classes=…)` builds, and what is saved.
    """

    trained: keras.Model
    embedder: keras.Model
    classifier: keras.Model


def add_classifier(
    backbone: Any, classes: int, activation: str, outputs: Collection[str] = ("logits",)
) -> Network:
    """Put a new classifier on a backbone.

    Args:
        backbone: A functional model from one image to an embedding (batch, dim), not normalised:
            `OSNet(head="embedding")`, or a network of Keras's with `pooling="avg"`.
        classes: How many there are.
        activation: `"softmax"` or `"sigmoid"`.
        outputs: Which of `"embedding"` and `"logits"` are trained. Of one output Keras calls
            figures `accuracy`, of several `logits_accuracy` and so on.

    Raises:
        ValueError: If the backbone is none of that kind.
    """
    check_backbone(backbone)
    embedding = backbone.output
    logits, predictions = heads.classifier(embedding, classes, activation)
    both = {"embedding": embedding, "logits": logits}
    return Network(
        trained=PromptModel(
            backbone.input,
            {name: both[name] for name in both if name in outputs},
            name=backbone.name,
        ),
        embedder=backbone,
        classifier=PromptModel(backbone.input, predictions, name=backbone.name),
    )


def without_classifier(classifier: Any) -> keras.Model:
    """Return the backbone of a `Network`'s classifier, with the same variables."""
    embedding = classifier.get_layer("logits").input
    return PromptModel(classifier.input, embedding, name=classifier.name)


def check_backbone(backbone: Any) -> None:
    """Raise ValueError unless a model can be given a classifier."""
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
            f"{wanted}: training adds a classifier of its own. Received: {backbone.name}, which "
            f"ends in {last.name}"
        )
    if isinstance(last, keras.layers.UnitNormalization):
        raise ValueError(
            f"{wanted}, and not normalised: cross-entropy needs its length. Received: "
            f"{backbone.name}, which ends in {last.name}"
        )
