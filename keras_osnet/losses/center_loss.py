"""Distances to the centers of classes."""

from typing import Any

import keras
from keras import ops

from keras_osnet.losses.base import labeled


@keras.saving.register_keras_serializable(package="keras_osnet")
class CenterLoss(keras.losses.Loss):
    """Center loss (Wen et al., ECCV 2016): ½ ‖x - c_y‖² for an embedding x of class y.

    The centers c move in every training step, after the loss has been computed:
    c_j ← c_j - α Σᵢ (c_j - xᵢ) / (1 + n_j), over the n_j samples of class j in the batch.
    They belong to the layer `keras_osnet.layers.ClassCenters`, which passes the embeddings on, so
    that they are saved and resumed with the model. In `evaluate` they do not move. Compile a loaded
    model again before it is trained, with `CenterLoss(model.get_layer(…))`.

    The paper's loss has a small weight beside a softmax loss, 0.003; Luo et al. (2019) have 0.0005.

    Args:
        centers: The layer, whose output is the prediction.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: (batch,) or (batch, 1), whole numbers below the number of classes; the loss of any other
    is NaN.

    Predictions: embeddings (batch, dim), the output of `centers`.

    Raises:
        ValueError: `centers` is not such a layer, or a shape is another.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from keras_osnet.layers import ClassCenters
        >>> from keras_osnet.losses import CenterLoss
        >>> embedding = keras.Input((2,))
        >>> centers = ClassCenters(classes=3)
        >>> model = keras.Model(embedding, centers(embedding))
        >>> model.compile("sgd", CenterLoss(centers))
        >>> float(model.train_on_batch(np.array([[4.0, 0.0]]), np.array([1])))  # half of 4²
        8.0
        >>> [float(value) for value in centers.centers[1]]
        [1.0, 0.0]
    """

    def __init__(
        self,
        centers: keras.Layer,
        name: str = "center",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")
        if not hasattr(centers, "centers_of"):
            raise ValueError(
                "`centers` must be a layer keras_osnet.layers.ClassCenters. "
                f"Received: {type(centers).__name__}"
            )
        # Not an attribute: Keras would save the layer as a part of the loss, and not of the model.
        self._layer = lambda: centers

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Map labels (batch,) and embeddings (batch, dim) to losses (batch,)."""
        labels, embeddings = labeled("CenterLoss", y_true, y_pred)
        layer: Any = self._layer()
        difference = embeddings - layer.centers_of(labels)
        layer.move(labels, ops.stop_gradient(embeddings))
        return ops.sum(ops.square(difference), axis=-1) / 2

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        centers = keras.saving.serialize_keras_object(self._layer())
        return {**super().get_config(), "centers": centers}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "CenterLoss":
        """Rebuild a loss, with a layer of its own."""
        centers = keras.saving.deserialize_keras_object(config["centers"])
        return cls(**{**config, "centers": centers})
