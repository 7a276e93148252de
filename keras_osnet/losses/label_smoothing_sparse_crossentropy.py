"""Label-smoothed cross-entropy of integer labels."""

from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import number
from keras_osnet.losses.base import labeled


@keras.saving.register_keras_serializable(package="keras_osnet")
class LabelSmoothingSparseCrossentropy(keras.losses.Loss):
    """Cross-entropy of integer labels with label smoothing (Szegedy et al., arXiv:1512.00567).

    Equals `keras.losses.CategoricalCrossentropy(label_smoothing=…)` of one-hot labels: Keras
    smooths only these, and input pipelines give integers. A label y of K classes becomes
    (1 - ε) · one-hot(y) + ε / K, as in torchreid, which trains every OSNet with ε = 0.1.

    Args:
        label_smoothing: ε, 0 to 1.
        from_logits: Whether predictions are logits. Probabilities are clipped at 1e-7 before
            the logarithm, as everywhere in Keras.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: (batch,) or (batch, 1), whole numbers below the number of classes. Any other label makes
    its sample's loss NaN; its one-hot vector would be all zeros and fail silently.

    Predictions: (batch, classes) of any float type; the loss is computed in float32.

    Raises:
        ValueError: `label_smoothing` is not from 0 to 1, or a shape is another.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.losses import LabelSmoothingSparseCrossentropy
        >>> loss = LabelSmoothingSparseCrossentropy(label_smoothing=0.1)
        >>> round(float(loss([2, 0], np.full((2, 4), 0.25))), 4)
        1.3863
    """

    def __init__(
        self,
        label_smoothing: float = 0.1,
        from_logits: bool = False,
        name: str = "smoothed_sparse_categorical_crossentropy",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.label_smoothing = number("label_smoothing", label_smoothing, low=0, high=1)
        self.from_logits = from_logits

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Map labels (batch,) and predictions (batch, classes) to losses (batch,)."""
        labels, y_pred = labeled(type(self).__name__, y_true, y_pred)
        classes = y_pred.shape[-1]
        known = ops.logical_and(labels >= 0, labels < classes)
        losses = keras.losses.categorical_crossentropy(
            ops.one_hot(ops.where(known, labels, 0), classes, dtype="float32"),
            y_pred,
            from_logits=self.from_logits,
            label_smoothing=self.label_smoothing,
        )
        return ops.where(known, losses, float("nan"))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
            "from_logits": self.from_logits,
        }
