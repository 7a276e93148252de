"""Training tasks: re-identification, attribute recognition and classification."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet import __version__
from keras_osnet.data import (
    AttributeDataset,
    AttributeImages,
    ClassificationDataset,
    ImageBatches,
    ReidDataset,
    split_by_identity,
)
from keras_osnet.data.readable import readable
from keras_osnet.data.records import Dataset
from keras_osnet.evaluation import (
    evaluate_attribute_model,
    evaluate_classification,
    evaluate_retrieval,
)
from keras_osnet.losses import (
    LabelSmoothingSparseCrossentropy,
    WeightedBinaryCrossentropy,
    positive_ratios,
)
from keras_osnet.metrics.attributes import AttributeResult
from keras_osnet.training.callbacks import VALIDATION, validation_metrics
from keras_osnet.training.dataset import make_batches
from keras_osnet.training.loss_terms import classifier_scale, reid_losses
from keras_osnet.training.networks import Network, add_classifier, architecture_digest
from keras_osnet.training.recipe import Recipe
from keras_osnet.training.run_folder import digest


class Task:
    """Base class of the tasks: training images, labels, losses, validation and test.

    Attributes:
        images: Paths, or an array (images, height, width, 3) of uint8, to train on.
        labels: Array (images, ...).
        class_names: A name for each of the classifier's outputs.
        activation: Activation that turns logits into predictions.
        losses: A loss and its weight, by the network's output that it applies to; see
            `Network.losses`.
        classifier_scale: Scale of a cosine classifier; None for a dense one.
        center_rate: Rate of the centers, for a loss of the output `"center"`.
        description: What else determines the training, of types that JSON has.
        monitor: Name of the metric, among those that `validate` returns, whose largest value
            determines the best epoch; None if the last epoch counts.
    """

    images: Sequence[Path] | NDArray
    labels: NDArray
    class_names: Sequence[str]
    activation: str = "softmax"
    losses: dict[str, tuple[Any, float]]
    classifier_scale: float | None = None
    center_rate: float = 0.5
    description: Mapping[str, Any] = MappingProxyType({})
    monitor: str | None = None

    def make_batches(self, recipe: Recipe, model: keras.Model, **arguments: Any) -> ImageBatches:
        """Return the batches of the training images; further arguments are of `ImageBatches`."""
        return make_batches(recipe, model, self.images, self.labels, **arguments)

    def make_network(self, model: keras.Model) -> Network:
        """Add a new classifier to a backbone, and an output for each loss."""
        return add_classifier(
            model,
            len(self.class_names),
            self.activation,
            self.losses,
            scale=self.classifier_scale,
            center_rate=self.center_rate,
        )

    def metrics(self) -> dict[str, keras.metrics.Metric]:
        """Return new metrics of the network's outputs."""
        return {"logits": keras.metrics.SparseCategoricalAccuracy(name="accuracy")}

    def validate(self, networks: Sequence[Network]) -> dict[str, float]:  # noqa: ARG002
        """Return the metrics on the validation images, after an epoch."""
        return {}

    def test(self, networks: Sequence[Network]) -> dict[str, Any] | None:
        """Return the test metrics, of types that JSON has; None without test images."""
        raise NotImplementedError


class ReidTask(Task):
    """Re-identification; a share of the people is for validation if the recipe says so."""

    def __init__(self, recipe: Recipe, dataset: ReidDataset, seed: int) -> None:
        self._dataset = dataset
        self._validation: ReidDataset | None = None
        learned = dataset
        if recipe.validation_fraction:
            learned = split_by_identity(
                dataset.train, recipe.validation_fraction, seed=seed, name=dataset.name
            )
            self._validation = learned
            self.monitor = f"{VALIDATION}mAP"
        self.images = [image.path for image in learned.train]
        self.labels = learned.train_labels
        names = learned.identity_names
        self.class_names = [names[identity] for identity in learned.train_identities]
        check_people(recipe, dataset, self.class_names)
        self.losses = reid_losses(recipe)
        self.classifier_scale = classifier_scale(recipe)
        self.center_rate = recipe.loss_term("center_rate")

    def validate(self, networks: Sequence[Network]) -> dict[str, float]:
        """Search for the people of the validation part."""
        if self._validation is None:
            return {}
        part = self._validation
        embedders = [network.embedder for network in networks]
        return validation_metrics(evaluate_retrieval(embedders, part.query, part.gallery).ranking)

    def test(self, networks: Sequence[Network]) -> dict[str, Any] | None:
        """Search for the dataset's queries in its gallery."""
        return test_retrieval(self._dataset, [network.embedder for network in networks])


class AttributeTask(Task):
    """Attribute recognition; the best epoch is chosen on the dataset's validation part."""

    activation = "sigmoid"

    def __init__(self, recipe: Recipe, dataset: AttributeDataset, seed: int) -> None:  # noqa: ARG002
        self._dataset = dataset
        self.images = dataset.train.paths
        self.labels = dataset.train.attributes
        self.class_names = dataset.attribute_names
        self.monitor = "val_mA" if dataset.validation.paths else None
        loss = WeightedBinaryCrossentropy(positive_ratios(self.labels), from_logits=True)
        self.losses = {"logits": (loss, 1.0)}

    def metrics(self) -> dict[str, keras.metrics.Metric]:
        """Return the share of correct attributes: one is predicted where its logit is above 0."""
        return {"logits": keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)}

    def validate(self, networks: Sequence[Network]) -> dict[str, float]:
        """Recognize the attributes of the validation part."""
        if self.monitor is None:
            return {}
        result = self._evaluate(networks, self._dataset.validation)
        return {"val_mA": result.mean_accuracy, "val_F1": result.f1}

    def test(self, networks: Sequence[Network]) -> dict[str, Any] | None:
        """Recognize the attributes of the test part."""
        if not self._dataset.test.paths:
            return None
        result = self._evaluate(networks, self._dataset.test)
        names = self._dataset.attribute_names
        return {
            "mA": result.mean_accuracy,
            "accuracy": result.accuracy,
            "precision": result.precision,
            "recall": result.recall,
            "F1": result.f1,
            "by_attribute": dict(zip(names, result.attribute_accuracy.tolist(), strict=True)),
        }

    def _evaluate(self, networks: Sequence[Network], part: AttributeImages) -> AttributeResult:
        return evaluate_attribute_model(networks[0].classifier, part)


class ClassificationTask(Task):
    """Image classification (CIFAR, ImageNet); there is no validation part."""

    def __init__(self, recipe: Recipe, dataset: ClassificationDataset, seed: int) -> None:  # noqa: ARG002
        self._test = dataset.test
        self._resize = recipe.resize
        self.images = dataset.train.images
        self.labels = dataset.train.labels
        self.class_names = dataset.classes
        smoothing = recipe.loss_term("label_smoothing")
        loss = LabelSmoothingSparseCrossentropy(smoothing, from_logits=True)
        self.losses = {"logits": (loss, 1.0)}

    def test(self, networks: Sequence[Network]) -> dict[str, Any] | None:
        """Classify the test images; predictions of several networks are averaged."""
        result = evaluate_classification(
            [network.classifier for network in networks], self._test, resize=self._resize
        )
        return {
            "error": result.error,
            **({} if math.isnan(result.top_5_error) else {"top_5_error": result.top_5_error}),
            "images": result.images,
        }


_TASKS: dict[str, tuple[type, Any]] = {
    "reid": (ReidDataset, ReidTask),
    "attributes": (AttributeDataset, AttributeTask),
    "classification": (ClassificationDataset, ClassificationTask),
}


def check_people(recipe: Recipe, dataset: ReidDataset, names: Sequence[str]) -> None:
    """Raise ValueError if there are fewer people to train on than two, or than in a batch."""
    least, why = 2, ""
    if isinstance(recipe.batch_size, tuple) and recipe.batch_size[0] > least:
        least, why = recipe.batch_size[0], ", as many as a batch of the recipe"
    if len(names) < least:
        held_out = len(dataset.train_identities) - len(names)
        others = f", besides {held_out} for validation" if held_out else ""
        raise ValueError(
            f"`dataset` must have at least {least} people to train on{why}. "
            f"Received: {len(names)} in {dataset.name}{others}"
        )


def test_retrieval(dataset: ReidDataset, embedders: Sequence[keras.Model]) -> dict[str, Any] | None:
    """Search for a dataset's queries in its gallery; None if it has none."""
    if not dataset.query:
        return None
    result = evaluate_retrieval(
        embedders,
        dataset.query,
        dataset.gallery,
        protocol="single-gallery-shot" if dataset.single_gallery_shot else "market1501",
    )
    return {
        **result.ranking.to_dict(),
        "cmc": result.ranking.cmc.tolist(),
        "valid_queries": result.ranking.valid_queries,
        "queries": result.queries,
        "gallery": result.gallery,
        "unreadable": [str(path) for path in result.unreadable],
        "cameras_known": result.cameras_known,
    }


def make_task(recipe: Recipe, dataset: Dataset, seed: int) -> Task:
    """Return the task of a recipe on a dataset.

    Raises:
        ValueError: The dataset is of another kind than the recipe's task.
    """
    if recipe.task not in _TASKS:
        raise ValueError(
            f"`recipe` must be of the tasks {', '.join(_TASKS)}; keras_osnet.training.distill "
            f"trains by one for distillation. Received: {recipe.name!r}"
        )
    kind, task = _TASKS[recipe.task]
    if not isinstance(dataset, kind):
        raise ValueError(
            f"`dataset` must be a {kind.__name__} for the recipe {recipe.name!r}, whose task is "
            f"{recipe.task}. Received: {type(dataset).__name__}"
        )
    return task(recipe, readable(dataset), seed)


def describe_training(
    recipe: Recipe,
    models: Sequence[keras.Model],
    task: Task,
    seed: int,
    distribution: str | None,
) -> dict[str, Any]:
    """Return a description of a training and its environment, for `RunFolder.open`."""
    return {
        **task.description,
        "recipe": recipe.name,
        **recipe.to_dict(),
        "seed": seed,
        "models": [model.name for model in models],
        "architecture": [architecture_digest(model) for model in models],
        "images": len(task.labels),
        "classes": len(task.class_names),
        "class_names": list(task.class_names),
        "labels": digest(np.ascontiguousarray(task.labels, np.int64).tobytes()),
        "distribution": distribution,
        "backend": keras.backend.backend(),
        "keras_osnet": __version__,
    }
