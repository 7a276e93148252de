"""Rank-1 and mAP after every epoch of `model.fit`."""

from collections.abc import Sequence
from typing import Any, Literal

import keras

from keras_osnet._utils.checks import positive_integer
from keras_osnet.architecture.feature_extractor import embedder
from keras_osnet.data import PersonImage
from keras_osnet.evaluation.retrieval import evaluate_retrieval
from keras_osnet.metrics import RankingResult

VALIDATION = "val_"
"""What Keras puts before the figures on what is not trained on."""


class RetrievalMetrics(keras.callbacks.Callback):
    """Search for queries in a gallery after every epoch, and add the figures to its logs.

    They appear as `val_rank_1`, `val_mAP` and `val_mINP` (0–1) in the progress bar's line, in
    `fit`'s history and to callbacks that come later in the list: `ModelCheckpoint(…,
    monitor="val_mAP", mode="max")` keeps the best epoch. Search for people who are not trained on:
    accuracy on those says little about others.

    Args:
        query: Pictures to search for; see `keras_osnet.data.split_by_identity`.
        gallery: Pictures to search in.
        embedder: A model (batch, dim) that shares its variables with the one that is trained; or
            several, whose embeddings are put side by side. None takes the trained model up to its
            layer `embedding`, which an OSNet with any head has.
        every: Search after every so many epochs, and after the last.
        metric: `"cosine"` or `"euclidean"`.
        batch_size: Pictures that the model takes at once.
        prefix: Of the names in the logs.

    Raises:
        ValueError: If `every` is not a positive integer; at the start of `fit`, if the model has
            no layer `embedding`.

    Example:
        ```python
        people = split_by_identity(identity_folders("my_people"), 0.2)
        model.fit(dataset, callbacks=[RetrievalMetrics(people.query, people.gallery)])
        ```
    """

    def __init__(
        self,
        query: Sequence[PersonImage],
        gallery: Sequence[PersonImage],
        *,
        embedder: keras.Model | Sequence[keras.Model] | None = None,
        every: int = 1,
        metric: Literal["cosine", "euclidean"] = "cosine",
        batch_size: int = 32,
        prefix: str = VALIDATION,
    ) -> None:
        super().__init__()
        self.query = query
        self.gallery = gallery
        self.embedder = embedder
        self.every = positive_integer("every", every)
        self.metric = metric
        self.batch_size = batch_size
        self.prefix = prefix

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002 - Keras's signature
        """Find the embedding of the model."""
        if self.embedder is None:
            self.embedder = embedder(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Search, and add the figures to the logs."""
        last = epoch + 1 == self.params.get("epochs")
        if logs is None or ((epoch + 1) % self.every and not last):
            return
        ranking = evaluate_retrieval(
            self.embedder,
            self.query,
            self.gallery,
            metric=self.metric,
            batch_size=self.batch_size,
        ).ranking
        logs.update(validation_figures(ranking, self.prefix))


def validation_figures(ranking: RankingResult, prefix: str = VALIDATION) -> dict[str, float]:
    """Return rank-1, mAP and mINP under the names that they have in the logs of an epoch."""
    return {f"{prefix}{name}": value for name, value in ranking.to_dict((1,)).items()}
