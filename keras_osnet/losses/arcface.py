"""Cross-entropy with an additive margin of the angle."""

import math
from typing import Any

import keras
from keras import ops

from keras_osnet.losses.margin_softmax import MarginSoftmax

_SMALLEST_SQUARE = 1e-7
"""Floor for sin² θ; the square root has no gradient at 0."""


@keras.saving.register_keras_serializable(package="keras_osnet")
class ArcFace(MarginSoftmax):
    """Additive angular margin loss (Deng et al., CVPR 2019, arXiv:1801.07698, Eq. 3).

    -log[exp(s cos(θ_y + m)) / (exp(s cos(θ_y + m)) + Σ_{j≠y} exp(s cos θ_j))], with the angles θ_j
    between the embedding and the weights of class j, for a sample of class y: its angle to its own
    class has to be smaller by m than those to the others.

    Where θ_y + m exceeds π, cos(θ_y + m) would rise again; there it is cos θ_y - m sin m, which
    falls on, as in the authors' code.

    Args:
        margin: m in radians, 0 to π / 2.
        scale: s, that of the classifier, at least 1.
        label_smoothing: ε of the labels, 0 to 1, as in `LabelSmoothingSparseCrossentropy`.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: (batch,) or (batch, 1), whole numbers below the number of classes.

    Predictions: logits (batch, classes), s times the cosines: those of
    `OSNet(classifier_scale=scale)` or `keras_osnet.layers.CosineClassifier(classes, scale)`, of any
    float type; the loss is computed in float32.

    Raises:
        ValueError: An argument is outside its range, or a shape is another.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.losses import ArcFace
        >>> loss = ArcFace(margin=np.pi / 3, scale=2)
        >>> round(float(loss([0], 2 * np.array([[1.0, 0.0]]))), 3)  # log(1 + exp(-2 cos 60°))
        0.313
    """

    largest_margin = math.pi / 2

    def __init__(
        self,
        margin: float = 0.5,
        scale: float = 64.0,
        label_smoothing: float = 0.0,
        name: str = "arcface",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(margin, scale, label_smoothing, name, reduction)

    def of_own_class(self, cosines: Any) -> Any:
        """Return cos(θ + m)."""
        sines = ops.sqrt(ops.maximum(1 - ops.square(cosines), _SMALLEST_SQUARE))
        shifted = cosines * math.cos(self.margin) - sines * math.sin(self.margin)
        beyond = cosines - self.margin * math.sin(self.margin)
        return ops.where(cosines > -math.cos(self.margin), shifted, beyond)
