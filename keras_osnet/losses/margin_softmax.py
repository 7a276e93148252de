"""Base class of the losses that put a margin between the cosines of classes."""

from typing import Any, ClassVar

from keras import ops

from keras_osnet._utils.checks import number
from keras_osnet.losses.base import labeled
from keras_osnet.losses.label_smoothing_sparse_crossentropy import LabelSmoothingSparseCrossentropy


class MarginSoftmax(LabelSmoothingSparseCrossentropy):
    """Cross-entropy of cosine logits, which a margin makes harder in training.

    Args:
        margin: The margin, 0 to `largest_margin`.
        scale: That of the classifier, at least 1.
        label_smoothing: ε of the labels, 0 to 1, as in `LabelSmoothingSparseCrossentropy`.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`.
    """

    largest_margin: ClassVar[float] = 1.0

    def __init__(
        self,
        margin: float,
        scale: float,
        label_smoothing: float,
        name: str,
        reduction: str | None,
    ) -> None:
        super().__init__(label_smoothing, from_logits=True, name=name, reduction=reduction)
        self.margin = number("margin", margin, low=0, high=self.largest_margin)
        self.scale = number("scale", scale, low=1)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Map labels (batch,) and logits (batch, classes) to losses (batch,)."""
        labels, logits = labeled(type(self).__name__, y_true, y_pred)
        own = ops.equal(labels[:, None], ops.arange(logits.shape[-1])[None, :])
        cosines = logits / self.scale
        harder = ops.where(own, self.of_own_class(cosines), self.of_other_class(cosines))
        return super().call(labels, self.scale * harder)

    def of_own_class(self, cosines: Any) -> Any:
        """Map the cosines to the class of the label to smaller numbers of the same shape."""
        raise NotImplementedError

    def of_other_class(self, cosines: Any) -> Any:
        """Map the cosines to the other classes; they stay as they are by default."""
        return cosines

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = {**super().get_config(), "margin": self.margin, "scale": self.scale}
        del config["from_logits"]
        return config
