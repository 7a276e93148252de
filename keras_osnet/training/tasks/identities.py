"""Learning to tell people apart, to find others again."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_osnet.data import ReidDataset, split_by_identity
from keras_osnet.evaluation import evaluate_retrieval
from keras_osnet.losses.batch_hard_triplet_loss import BatchHardTripletLoss
from keras_osnet.losses.entropy_maximization import EntropyMaximization
from keras_osnet.losses.label_smoothing_sparse_crossentropy import LabelSmoothingSparseCrossentropy
from keras_osnet.training.network import Network
from keras_osnet.training.recipe import Recipe
from keras_osnet.training.retrieval_metrics import VALIDATION, validation_figures


class IdentityTask:
    """People to tell apart; some of them held out to choose the best epoch by, if asked for."""

    activation = "softmax"

    def __init__(self, recipe: Recipe, dataset: ReidDataset, seed: int) -> None:
        self._dataset = dataset
        self._held_out: ReidDataset | None = None
        learned = dataset
        if recipe.validation_fraction:
            learned = split_by_identity(
                dataset.train, recipe.validation_fraction, seed=seed, name=dataset.name
            )
            self._held_out = learned
        self.images = [image.path for image in learned.train]
        self.labels = learned.train_labels
        names = learned.identity_names
        self.class_names = [names[identity] for identity in learned.train_identities]
        if len(self.class_names) < 2:
            raise ValueError(
                "`dataset` must have at least two people to train on. "
                f"Received: {len(self.class_names)} in {dataset.name}"
            )
        self.monitor = f"{VALIDATION}mAP" if self._held_out else None
        self.losses = _losses(recipe)

    def metric(self) -> keras.metrics.Metric:
        """Return the share of pictures whose person comes first."""
        return keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    def validate(self, networks: Sequence[Network]) -> dict[str, float]:
        """Search for the people held out."""
        if self._held_out is None:
            return {}
        result = evaluate_retrieval(
            [network.embedder for network in networks],
            self._held_out.query,
            self._held_out.gallery,
        )
        return validation_figures(result.ranking)

    def test(self, networks: Sequence[Network]) -> dict[str, Any] | None:
        """Search for the dataset's queries in its gallery."""
        if not self._dataset.query:
            return None
        result = evaluate_retrieval(
            [network.embedder for network in networks],
            self._dataset.query,
            self._dataset.gallery,
            protocol="single-gallery-shot" if self._dataset.single_gallery_shot else "market1501",
        )
        ranking = result.ranking
        return {
            **ranking.to_dict(),
            "cmc": ranking.cmc.tolist(),
            "valid_queries": ranking.valid_queries,
            "queries": result.queries,
            "gallery": result.gallery,
            "unreadable": [str(path) for path in result.unreadable],
            "cameras_known": result.cameras_known,
        }


def _losses(recipe: Recipe) -> dict[str, tuple[keras.losses.Loss, float]]:
    smoothing, entropy = recipe.loss_term("label_smoothing"), recipe.loss_term("entropy_weight")
    identity = (
        EntropyMaximization(entropy, label_smoothing=smoothing, from_logits=True)
        if entropy
        else LabelSmoothingSparseCrossentropy(smoothing, from_logits=True)
    )
    losses: dict[str, tuple[keras.losses.Loss, float]] = {"logits": (identity, 1.0)}
    if recipe.loss_term("triplet_weight"):
        triplet = BatchHardTripletLoss(recipe.loss_term("triplet_margin"))
        losses["embedding"] = (triplet, recipe.loss_term("triplet_weight"))
    return losses
