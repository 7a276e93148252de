"""Learning classes of things: CIFAR, ImageNet."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from keras_osnet.data import ClassificationDataset
from keras_osnet.evaluation import evaluate_classification
from keras_osnet.losses.label_smoothing_sparse_crossentropy import LabelSmoothingSparseCrossentropy
from keras_osnet.training.network import Network
from keras_osnet.training.recipe import Recipe


class ClassTask:
    """Classes of a `ClassificationDataset`. There is nothing to choose an epoch by."""

    activation = "softmax"
    monitor = None

    def __init__(self, recipe: Recipe, dataset: ClassificationDataset, seed: int) -> None:  # noqa: ARG002 - as every task
        self._test = dataset.test
        self._read_size = recipe.resize
        self.images = dataset.train.images
        self.labels = dataset.train.labels
        self.class_names = dataset.classes
        loss = LabelSmoothingSparseCrossentropy(
            recipe.loss_term("label_smoothing"), from_logits=True
        )
        self.losses = {"logits": (loss, 1.0)}

    def metric(self) -> keras.metrics.Metric:
        """Return the share of pictures whose class comes first."""
        return keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    def validate(self, networks: Sequence[Network]) -> dict[str, float]:  # noqa: ARG002 - as every task
        """Nothing is held out."""
        return {}

    def test(self, networks: Sequence[Network]) -> dict[str, Any] | None:
        """Classify the test pictures; several networks' predictions are averaged."""
        result = evaluate_classification(
            [network.classifier for network in networks], self._test, resize=self._read_size
        )
        return {
            "error": result.error,
            **({} if math.isnan(result.top_5_error) else {"top_5_error": result.top_5_error}),
            "images": result.images,
        }
