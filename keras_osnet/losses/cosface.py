"""Cross-entropy with an additive margin of the cosine."""

from typing import Any

import keras

from keras_osnet.losses.margin_softmax import MarginSoftmax


@keras.saving.register_keras_serializable(package="keras_osnet")
class CosFace(MarginSoftmax):
    """Large-margin cosine loss (Wang et al., CVPR 2018, arXiv:1801.09414, Eq. 4), or AM-softmax.

    -log[exp(s (cos θ_y - m)) / (exp(s (cos θ_y - m)) + Σ_{j≠y} exp(s cos θ_j))], with the angles
    θ_j between the embedding and the weights of class j, for a sample of class y: the cosine of its
    own class has to be larger by m than those of the others. AM-softmax (Wang et al.,
    arXiv:1801.05599) is the same.

    Args:
        margin: m, 0 to 1.
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
        >>> from keras_osnet.losses import CosFace
        >>> loss = CosFace(margin=0.25, scale=2)
        >>> round(float(loss([0], 2 * np.array([[1.0, 0.0]]))), 4)  # log(1 + exp(-1.5))
        0.2014
    """

    def __init__(
        self,
        margin: float = 0.35,
        scale: float = 64.0,
        label_smoothing: float = 0.0,
        name: str = "cosface",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(margin, scale, label_smoothing, name, reduction)

    def of_own_class(self, cosines: Any) -> Any:
        """Return cos θ - m."""
        return cosines - self.margin
