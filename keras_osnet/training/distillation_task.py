"""The task of a distillation: the network learns a teacher's vectors, and labels beside."""

from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet.data import ImageBatches, ReidDataset
from keras_osnet.data.sampling import shard
from keras_osnet.training.dataset import make_batches
from keras_osnet.training.loss_terms import (
    DISTILLATION_OUTPUTS,
    classifier_scale,
    distillation_losses,
)
from keras_osnet.training.networks import Network, add_classifier
from keras_osnet.training.recipe import Recipe
from keras_osnet.training.tasks import Task, check_people, test_retrieval

_LABELED_OUTPUTS = ("embedding", "features", "center", "logits")
"""Outputs of `add_classifier`."""


class DistillationTask(Task):
    """Learn a teacher's vectors of a dataset's training images, with or without their labels.

    Args:
        recipe: Of the task `"distillation"`.
        dataset: Its `query` and `gallery` are for the test at the end.

    Attributes:
        vectors: The teacher's vectors (images, dim); set before the training begins.
        has_labels: Whether the people are learned beside.
    """

    images: list[Path]
    vectors: NDArray[np.float32]

    def __init__(self, recipe: Recipe, dataset: ReidDataset) -> None:
        self._dataset = dataset
        self._projects = recipe.loss_term("projection")
        self.has_labels = bool(recipe.loss_term("label_weight"))
        self.images = [image.path for image in dataset.train]
        self.losses = distillation_losses(recipe)
        if self.has_labels:
            names = dataset.identity_names
            self.labels = dataset.train_labels
            self.class_names = [names[identity] for identity in dataset.train_identities]
            check_people(recipe, dataset, self.class_names)
            self.classifier_scale = classifier_scale(recipe)
            self.center_rate = recipe.loss_term("center_rate")
        else:
            self.labels = np.zeros(len(self.images), np.int64)
            self.class_names = []

    def metrics(self) -> dict[str, keras.metrics.Metric]:
        """Return the accuracy of the classifier, if there is one."""
        return super().metrics() if self.has_labels else {}

    def make_network(self, model: keras.Model) -> Network:
        """Add an output for each loss, and a classifier if labels are learned.

        The network that is saved has no part of the teacher in it.
        """
        network = Network(trained=model, embedder=model, classifier=model)
        if self.has_labels:
            network = add_classifier(
                model,
                len(self.class_names),
                self.activation,
                self.losses.keys() - set(DISTILLATION_OUTPUTS),
                scale=self.classifier_scale,
                center_rate=self.center_rate,
            )
        outputs = dict(network.trained.output) if self.has_labels else {}
        for name in DISTILLATION_OUTPUTS:
            if name in self.losses:
                outputs[name] = self._compared(model.output, name)
        trained = keras.Model(model.input, outputs, name=model.name)
        return Network(trained=trained, embedder=model, classifier=network.classifier)

    def make_batches(self, recipe: Recipe, model: keras.Model, **arguments: Any) -> ImageBatches:
        """Return the batches, whose labels are a dict by output."""
        return make_batches(
            recipe,
            model,
            self.images,
            self.labels,
            kind=partial(TaughtBatches, vectors=self.vectors),
            **arguments,
        )

    def test(self, networks: Any) -> dict[str, Any] | None:
        """Search for the dataset's queries in its gallery."""
        return test_retrieval(self._dataset, [network.embedder for network in networks])

    def _compared(self, embedding: Any, name: str) -> Any:
        """Return the tensor that a loss compares with the teacher's vectors."""
        length = self.vectors.shape[1]
        if name == "cosine" and (self._projects or embedding.shape[-1] != length):
            return keras.layers.Dense(length, use_bias=False, dtype="float32", name=name)(embedding)
        # A layer, as Keras finds the loss of an output by the name of its last layer.
        return keras.layers.Identity(dtype=embedding.dtype, name=name)(embedding)


class TaughtBatches(ImageBatches):
    """Batches whose labels are a dict by output: the teacher's vectors, or the people's labels.

    Args:
        *arguments: As for `ImageBatches`.
        vectors: The teacher's vectors (images, dim).
        **others: As for `ImageBatches`.
    """

    def __init__(self, *arguments: Any, vectors: NDArray, **others: Any) -> None:
        self._vectors = vectors
        super().__init__(*arguments, **others)

    def batch(self, epoch: int, index: int) -> tuple[NDArray, Any]:
        """Return images, and their labels by output."""
        images, labels = super().batch(epoch, index)
        (rows,) = shard(self.order(epoch)[index : index + 1], *self.worker)
        vectors = self._vectors[rows]
        return images, {
            **dict.fromkeys(DISTILLATION_OUTPUTS, vectors),
            **dict.fromkeys(_LABELED_OUTPUTS, labels),
        }
