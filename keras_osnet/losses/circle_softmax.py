"""Circle loss of cosines to classes."""

from typing import Any

import keras
from keras import ops

from keras_osnet.losses.margin_softmax import MarginSoftmax


@keras.saving.register_keras_serializable(package="keras_osnet")
class CircleSoftmax(MarginSoftmax):
    """Circle loss with class labels (Sun et al., CVPR 2020, arXiv:2002.10857).

    With the cosines sₚ between the embedding and the weights of its own class, and sₙ of the
    others:

    log[1 + Σₙ exp(γ αₙ (sₙ - m)) · exp(-γ αₚ (sₚ - 1 + m))], αₙ = [sₙ + m]₊, αₚ = [1 + m - sₚ]₊

    This is the cross-entropy of the logits γ αₚ (sₚ - 1 + m) and γ αₙ (sₙ - m). No gradient goes
    through the weights α. `CircleLoss` is the form with pairs of embeddings.

    Args:
        margin: m, 0 to 1.
        scale: γ, that of the classifier, at least 1. The paper has 256 for faces.
        label_smoothing: ε of the labels, 0 to 1, as in `LabelSmoothingSparseCrossentropy`.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: (batch,) or (batch, 1), whole numbers below the number of classes.

    Predictions: logits (batch, classes), γ times the cosines: those of
    `OSNet(classifier_scale=scale)` or `keras_osnet.layers.CosineClassifier(classes, scale)`, of any
    float type; the loss is computed in float32.

    Raises:
        ValueError: An argument is outside its range, or a shape is another.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.losses import CircleSoftmax
        >>> loss = CircleSoftmax(margin=0.25, scale=16)
        >>> round(float(loss([0], 16 * np.array([[1.0, 0.0]]))), 4)  # log(1 + exp(-16 / 16 - 1))
        0.1269
    """

    def __init__(
        self,
        margin: float = 0.25,
        scale: float = 256.0,
        label_smoothing: float = 0.0,
        name: str = "circle_softmax",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(margin, scale, label_smoothing, name, reduction)

    def of_own_class(self, cosines: Any) -> Any:
        """Return αₚ (sₚ - 1 + m)."""
        weight = ops.relu(1 + self.margin - ops.stop_gradient(cosines))
        return weight * (cosines - 1 + self.margin)

    def of_other_class(self, cosines: Any) -> Any:
        """Return αₙ (sₙ - m)."""
        return ops.relu(ops.stop_gradient(cosines) + self.margin) * (cosines - self.margin)
