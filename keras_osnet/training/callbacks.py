"""Retrieval metrics after every epoch, a stop if the loss is not finite, logs for TensorBoard."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from keras_osnet._utils.checks import positive_integer
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.architecture.model import feature_extractor
from keras_osnet.architecture.naming import is_finite
from keras_osnet.data import PersonImage
from keras_osnet.evaluation import evaluate_retrieval
from keras_osnet.metrics.ranking import RankingResult

VALIDATION = "val_"
"""Keras's prefix for metrics on images that are not trained on."""


class RetrievalMetrics(keras.callbacks.Callback):
    """Search for queries in a gallery after every epoch and add the metrics to the epoch's logs.

    They appear as `val_rank_1`, `val_mAP` and `val_mINP` (0–1) in the progress bar, in `fit`'s
    history and to later callbacks in the list: `ModelCheckpoint(…, monitor="val_mAP", mode="max")`
    keeps the best epoch. Use people who are not trained on: accuracy on the training identities
    does not predict that on others.

    Args:
        query: Images to search for; see `keras_osnet.data.split_by_identity`.
        gallery: Images to search in.
        embedder: A model (batch, dim) that shares its variables with the trained one; or several,
            whose embeddings are concatenated. None takes the trained model up to its layer
            `embedding`, which an OSNet with any head has.
        every: Number of epochs from one search to the next; the last epoch always has one.
        metric: `"cosine"` or `"euclidean"`.
        batch_size: Images per forward pass.
        prefix: Prefix of the names in the logs.

    Raises:
        ValueError: `every` is not a positive integer; at the start of `fit`, the model has no
            layer `embedding`.

    Example:
        ```python
        people = split_by_identity(read_people("my_people").train, 0.2)
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
            self.embedder = feature_extractor(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Search, and add the metrics to the logs."""
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
        logs.update(validation_metrics(ranking, self.prefix))


def validation_metrics(ranking: RankingResult, prefix: str = VALIDATION) -> dict[str, float]:
    """Return rank-1, mAP and mINP by the names that they have in the logs of an epoch."""
    return {f"{prefix}{name}": value for name, value in ranking.to_dict((1,)).items()}


class StopUnlessFinite(keras.callbacks.Callback):
    """Raise FloatingPointError once the loss is not finite, or a variable at the end of an epoch.

    Put it before callbacks that save an epoch. The loss in the logs is the epoch's mean so far, so
    that it stays not finite, and some batches can be skipped: asking for a value makes an
    accelerator wait.
    """

    every = 16

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the loss."""
        if batch % self.every == 0:
            self._check(logs, f" by batch {batch + 1} of {self.params['steps']}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Check the loss, the model and the optimizer."""
        self._check(logs, "")
        for variable in (*self.model.variables, *self.model.optimizer.variables):
            if not is_finite(variable):
                self._raise(f"{variable.path} is not finite", "")

    def _check(self, logs: dict[str, Any] | None, place: str) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not np.isfinite(loss):
            self._raise(f"The loss is not finite, but {loss}", place)

    def _raise(self, problem: str, place: str) -> None:
        epochs = self.params["epochs"]
        raise FloatingPointError(f"{problem}, in epoch {self._epoch + 1} of {epochs}{place}.")


class TensorBoardLog:
    """Write scalars for TensorBoard; warn, and write nothing, where it is not installed.

    `keras.callbacks.TensorBoard` needs TensorFlow on every backend; TensorBoard's own writer does
    not.

    Args:
        folder: Folder for the event files.
        first_epoch: Events of an interrupted training from this epoch on are discarded.
    """

    def __init__(self, folder: str | os.PathLike[str], first_epoch: int) -> None:
        try:
            from tensorboard.compat.proto.event_pb2 import Event, SessionLog
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError:
            self._writer = None
            warn_user(
                "TensorBoard is not installed; metrics are in metrics.csv only. Install with: "
                'pip install "keras-osnet[training]"'
            )
            return
        self._event, self._summary = Event, Summary
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._writer = EventFileWriter(os.fspath(folder))
        start = SessionLog(status=SessionLog.START)
        self._writer.add_event(Event(wall_time=time.time(), step=first_epoch, session_log=start))

    def write(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics of an epoch and flush them."""
        if self._writer is None:
            return
        values = [
            self._summary.Value(tag=name, simple_value=value) for name, value in metrics.items()
        ]
        summary = self._summary(value=values)
        try:
            self._writer.add_event(self._event(wall_time=time.time(), step=epoch, summary=summary))
            self._writer.flush()
        except OSError as error:  # such as a full disk, on which the training may go on
            self._writer = None
            warn_user(f"The log for TensorBoard ends here, as it cannot be written: {error}")

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
