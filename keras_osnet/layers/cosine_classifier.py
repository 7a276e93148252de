"""A classifier by angles."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import number, positive_integer
from keras_osnet._utils.unit_length import unit_length
from keras_osnet.layers import initializers


@keras.saving.register_keras_serializable(package="keras_osnet")
class CosineClassifier(keras.layers.Layer):
    """Map an embedding x to the logits s · cos(x, w_j), with the weights w_j of class j.

    The classifier of CosFace, ArcFace and the Circle loss with class labels. They differ in the
    margin that they put between classes in training, which is the loss's:
    `keras_osnet.losses.CosFace`, `ArcFace` and `CircleSoftmax`, with the same scale.

    Args:
        classes: Number of classes.
        scale: s, at least 1.
        **kwargs: `name` and the like, for `keras.layers.Layer`. The layer is float32 under every
            precision policy.

    Input shape: embeddings (batch, dim) of any length; the logits of zeros are zeros.

    Output shape: (batch, classes) float32, -s to s.

    Raises:
        ValueError: An argument is outside its range, or the input is not a batch of vectors.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.layers import CosineClassifier
        >>> layer = CosineClassifier(classes=2, scale=30)
        >>> layer.build((None, 2))
        >>> layer.set_weights([np.array([[2.0, 0.0], [0.0, 1.0]])])
        >>> [float(logit) for logit in layer(np.array([[0.0, 5.0]]))[0]]
        [0.0, 30.0]
    """

    def __init__(self, classes: int, scale: float = 64.0, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.classes = positive_integer("classes", classes)
        self.scale = number("scale", scale, low=1)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the weights for embeddings of this shape."""
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ValueError(
                "CosineClassifier takes embeddings of shape (batch, dim). "
                f"Received: shape {tuple(input_shape)}"
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.classes),
            initializer=initializers.dense_initializer(),
        )

    def call(self, inputs: Any) -> Any:
        """Map embeddings (batch, dim) to logits (batch, classes)."""
        kernel = unit_length(ops.convert_to_tensor(self.kernel), axis=0)
        return self.scale * ops.matmul(unit_length(ops.cast(inputs, "float32")), kernel)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, int]:
        """Return (batch, classes)."""
        return (input_shape[0], self.classes)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "classes": self.classes, "scale": self.scale}
