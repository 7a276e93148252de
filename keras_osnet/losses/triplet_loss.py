"""Base class of the losses of distances between the embeddings of a batch."""

from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import number
from keras_osnet.losses.base import labeled, pairs

_SMALLEST_SQUARE = 1e-12
"""torchreid's floor for squared distances; the square root has no gradient at 0."""


class TripletLoss(keras.losses.Loss):
    """A hinge on distances to samples of the same identity and to those of others.

    Args:
        margin: At least 0; or `"soft"`.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`.
    """

    def __init__(self, margin: float | str, name: str, reduction: str | None) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.margin = _checked_margin(margin)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Map labels (batch,) and embeddings (batch, dim) to the samples' losses (batch,)."""
        labels, embeddings = labeled(type(self).__name__, y_true, y_pred)
        same, partners = pairs(labels)
        losses = self.of_samples(_distances(embeddings), same, partners)
        return ops.where(labels >= 0, losses, float("nan"))

    def of_samples(self, between: Any, same: Any, partners: Any) -> Any:
        """Return the losses (batch,).

        Args:
            between: Distances (batch, batch).
            same: Which pairs (batch, batch) are of one identity.
            partners: Which of these are of two samples.
        """
        raise NotImplementedError

    def hinge(self, difference: Any) -> Any:
        """Return [difference + margin]₊, or log(1 + exp(difference)) for the margin `"soft"`."""
        if self.margin == "soft":
            return ops.softplus(difference)
        return ops.relu(difference + self.margin)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "margin": self.margin}


def _distances(embeddings: Any) -> Any:
    """Return the Euclidean distances (batch, batch) between embeddings (batch, dim).

    They are computed from differences, not as ‖a‖² + ‖b‖² - 2ab, which loses close pairs to
    rounding, especially where matrix products use TensorFloat-32.
    """
    difference = embeddings[:, None, :] - embeddings[None, :, :]
    squares = ops.sum(ops.square(difference), axis=-1)
    return ops.sqrt(ops.maximum(squares, _SMALLEST_SQUARE))


def _checked_margin(margin: Any) -> float | str:
    """Return the margin of a triplet loss, a number of at least 0 or `"soft"`, or raise."""
    if isinstance(margin, str):
        if margin == "soft":
            return margin
        raise ValueError(
            f'`margin` must be a number of at least 0, or "soft". Received: {margin!r}'
        )
    return number("margin", margin, low=0)
