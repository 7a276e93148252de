"""Learning what is to be seen on people: PA-100K."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_osnet.data import AttributeDataset
from keras_osnet.evaluation import evaluate_attribute_model
from keras_osnet.losses.weighted_binary_crossentropy import (
    WeightedBinaryCrossentropy,
    positive_ratios,
)
from keras_osnet.metrics import AttributeResult
from keras_osnet.training.network import Network
from keras_osnet.training.recipe import Recipe


class AttributeTask:
    """Attributes of an `AttributeDataset`; the best epoch is chosen by its validation part."""

    activation = "sigmoid"

    def __init__(self, recipe: Recipe, dataset: AttributeDataset, seed: int) -> None:  # noqa: ARG002 - as every task
        self._dataset = dataset
        self.images = dataset.train.paths
        self.labels = dataset.train.attributes
        self.class_names = dataset.attribute_names
        self.monitor = "val_mA" if dataset.validation.paths else None
        loss = WeightedBinaryCrossentropy(positive_ratios(self.labels), from_logits=True)
        self.losses = {"logits": (loss, 1.0)}

    def metric(self) -> keras.metrics.Metric:
        """Return the share of attributes that are right; logits above 0 say that one is there."""
        return keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)

    def validate(self, networks: Sequence[Network]) -> dict[str, float]:
        """Recognise the attributes of the validation part."""
        if self.monitor is None:
            return {}
        result = self._recognise(networks, self._dataset.validation)
        return {"val_mA": result.mean_accuracy, "val_F1": result.f1}

    def test(self, networks: Sequence[Network]) -> dict[str, Any] | None:
        """Recognise the attributes of the test part."""
        if not self._dataset.test.paths:
            return None
        result = self._recognise(networks, self._dataset.test)
        names = self._dataset.attribute_names
        return {
            "mA": result.mean_accuracy,
            "accuracy": result.accuracy,
            "precision": result.precision,
            "recall": result.recall,
            "F1": result.f1,
            "by_attribute": dict(zip(names, result.attribute_accuracy.tolist(), strict=True)),
        }

    def _recognise(self, networks: Sequence[Network], images: Any) -> AttributeResult:
        return evaluate_attribute_model(networks[0].classifier, images)
