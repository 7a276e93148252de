"""Cross-entropy with entropy maximization."""

from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import number
from keras_osnet.losses.base import tensors
from keras_osnet.losses.label_smoothing_sparse_crossentropy import LabelSmoothingSparseCrossentropy


@keras.saving.register_keras_serializable(package="keras_osnet")
class EntropyMaximization(LabelSmoothingSparseCrossentropy):
    """Cross-entropy minus the weighted entropy of the prediction (supplement, Table 12c).

    -Σ yₖ log pₖ - weight · H(p), with H(p) = -Σ pₖ log pₖ: overconfident predictions are penalized
    (the confidence penalty of Pereyra et al., arXiv:1701.06548). The published torchreid has no
    code for it, so `weight` has no default. The loss is above -weight · log(classes), and so may be
    negative.

    Args:
        weight: Factor of the entropy (in nats), at least 0.
        label_smoothing: ε of the labels, 0 to 1, as in `LabelSmoothingSparseCrossentropy`.
        from_logits: Whether predictions are logits.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: (batch,) or (batch, 1), whole numbers below the number of classes.

    Predictions: (batch, classes) of any float type; the loss is computed in float32.

    Raises:
        ValueError: `weight` or `label_smoothing` is outside its range, or a shape is another.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.losses import EntropyMaximization
        >>> loss = EntropyMaximization(weight=0.5)
        >>> round(float(loss([2, 0], np.full((2, 4), 0.25))), 4)  # half of log 4
        0.6931
    """

    def __init__(
        self,
        weight: float,
        label_smoothing: float = 0.1,
        from_logits: bool = False,
        name: str = "entropy_maximization",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(label_smoothing, from_logits, name=name, reduction=reduction)
        self.weight = number("weight", weight, low=0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Map labels (batch,) and predictions (batch, classes) to losses (batch,)."""
        y_true, y_pred = tensors(y_true, y_pred)
        losses = super().call(y_true, y_pred)
        if self.from_logits:
            logarithms = ops.log_softmax(y_pred, axis=-1)
            probabilities = ops.exp(logarithms)
        else:
            probabilities = y_pred
            logarithms = ops.log(ops.maximum(y_pred, keras.config.epsilon()))
        return losses + self.weight * ops.sum(probabilities * logarithms, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "weight": self.weight}
