"""Binary cross-entropy of attributes, weighted by their frequency."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_osnet._utils.checks import number
from keras_osnet.losses.base import tensors


def positive_ratios(labels: Any) -> list[float]:
    """Return, for each attribute, the share of the images that have it.

    Args:
        labels: (images, attributes), 0 or 1, of any dtype: the whole training set.

    Returns:
        A number 0 to 1 for each attribute.

    Raises:
        ValueError: `labels` has another shape, no rows, or other values.

    Example:
        >>> from keras_osnet.losses import positive_ratios
        >>> positive_ratios([[1, 0], [1, 1], [1, 0], [1, 0]])
        [1.0, 0.25]
    """
    table = np.asarray(labels)
    if table.ndim != 2 or not len(table) or not np.isin(table, (0, 1)).all():
        raise ValueError(
            "`labels` must be of shape (images, attributes) and 0 or 1 throughout. "
            f"Received: {table.dtype} {table.shape}, values {np.unique(table)[:5]}"
        )
    return table.mean(axis=0, dtype=np.float64).tolist()


@keras.saving.register_keras_serializable(package="keras_osnet")
class WeightedBinaryCrossentropy(keras.losses.Loss):
    """Binary cross-entropy that gives rare attributes a larger weight.

    Attribute k, which a share rₖ of the training images have, has the weight exp(-rₖ), from 1 for
    the rarest to 1/e for one that all have, in positive and negative terms alike; the loss is the
    mean over images and attributes, not divided by the weights. torchreid's attribute recognition
    does the same (the paper's PA-100K experiment).

    Args:
        positive_ratios: rₖ of each attribute, 0 to 1; see `positive_ratios`, the function.
        from_logits: Whether predictions are logits. Probabilities are clipped at 1e-7.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: (batch, attributes), 0 or 1.

    Predictions: (batch, attributes) of any float type; the loss is computed in float32.

    Raises:
        ValueError: A ratio is not from 0 to 1, or labels or predictions have not one column a
            ratio.

    Example:
        >>> from keras_osnet.losses import WeightedBinaryCrossentropy
        >>> loss = WeightedBinaryCrossentropy(positive_ratios=[0.0, 1.0])
        >>> round(float(loss([[1, 1]], [[0.5, 0.5]])), 4)  # log 2 · (1 + 1/e) / 2
        0.4741
    """

    def __init__(
        self,
        positive_ratios: Sequence[float],
        from_logits: bool = False,
        name: str = "weighted_binary_crossentropy",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.positive_ratios = [number("positive_ratios", ratio, 0, 1) for ratio in positive_ratios]
        self.from_logits = from_logits

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Map labels and predictions (batch, attributes) to losses (batch,)."""
        y_true, y_pred = tensors(y_true, y_pred)
        truth, prediction = tuple(y_true.shape), tuple(y_pred.shape)
        if any(shape[1:] != (len(self.positive_ratios),) for shape in (truth, prediction)):
            raise ValueError(
                f"WeightedBinaryCrossentropy of {len(self.positive_ratios)} ratios takes labels "
                "and predictions of shape (batch, attributes) with an attribute a ratio. "
                f"Received: labels {truth}, predictions {prediction}"
            )
        weights = [math.exp(-ratio) for ratio in self.positive_ratios]
        terms = ops.binary_crossentropy(y_true, y_pred, from_logits=self.from_logits)
        return ops.mean(terms * ops.convert_to_tensor(weights, "float32"), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "positive_ratios": self.positive_ratios,
            "from_logits": self.from_logits,
        }
