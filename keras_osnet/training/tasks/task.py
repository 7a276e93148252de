"""What the runner needs to know of a task."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
from numpy.typing import NDArray

from keras_osnet.training.network import Network


class Task(Protocol):
    """Pictures, what is to be learned of them, and how it is measured.

    Attributes:
        images: Paths, or an array (images, height, width, 3) of uint8, to train on.
        labels: Array (images, ...).
        class_names: One for each of the classifier's outputs.
        activation: What turns logits into predictions.
        losses: A loss and its weight for each of a network's outputs that has one.
        monitor: The name, in what `validate` returns, by whose largest value the best epoch is
            chosen; None if the last epoch counts.
    """

    images: Sequence[Path] | NDArray
    labels: NDArray
    class_names: Sequence[str]
    activation: str
    losses: dict[str, tuple[keras.losses.Loss, float]]
    monitor: str | None

    def metric(self) -> keras.metrics.Metric:
        """Return a metric of the logits, new."""

    def validate(self, networks: Sequence[Network]) -> dict[str, float]:
        """Return the figures on what was held out, after an epoch."""

    def test(self, networks: Sequence[Network]) -> dict[str, Any] | None:
        """Return the figures of the test, of types that JSON has; None if there is none."""
