"""The centers of classes in the space of embeddings."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import number, positive_integer


@keras.saving.register_keras_serializable(package="keras_osnet")
class ClassCenters(keras.layers.Layer):
    """Pass embeddings on and keep a center for each class: the state of the center loss.

    `keras_osnet.losses.CenterLoss`, given this layer and compiled for its output, moves the centers
    in training (Wen et al., ECCV 2016). The optimizer does not: they are not trainable variables,
    so that they are saved with a model but have no gradient. A frozen layer's centers stay. Under
    `tf.distribute` all replicas move them together, as one device does with the whole batch.

    Args:
        classes: Number of classes.
        rate: α, the share of the way to the mean of a class that a center moves in a step, 0 to 1.
        **kwargs: `name` and the like, for `keras.layers.Layer`. The layer is float32 under every
            precision policy.

    Input shape: embeddings (batch, dim).

    Output shape: (batch, dim), the embeddings as float32.

    Raises:
        ValueError: An argument is outside its range, or the input is not a batch of vectors.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.layers import ClassCenters
        >>> layer = ClassCenters(classes=10)
        >>> tuple(layer(np.zeros((4, 512), "float32")).shape), tuple(layer.centers.shape)
        ((4, 512), (10, 512))
    """

    def __init__(self, classes: int, rate: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.classes = positive_integer("classes", classes)
        self.rate = number("rate", rate, low=0, high=1)
        self._is_training: bool | None = None

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the centers for embeddings of this shape."""
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ValueError(
                "ClassCenters takes embeddings of shape (batch, dim). "
                f"Received: shape {tuple(input_shape)}"
            )
        self.centers = self.add_weight(
            name="centers",
            shape=(self.classes, input_shape[-1]),
            initializer="zeros",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",  # all of them assign the same
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the embeddings (batch, dim)."""
        # The loss, which moves the centers, does not know whether it is computed in training. It is
        # computed after this call, in the same trace.
        self._is_training = bool(training) and self.trainable
        return ops.cast(inputs, "float32")

    def centers_of(self, labels: Any) -> Any:
        """Map labels (batch,) to their centers (batch, dim), NaN for what is no class.

        Raises:
            ValueError: The layer was never called: it is that of another model.
        """
        if self._is_training is None:
            raise ValueError(
                "`centers` must be a layer of the model. Of a model that was loaded, compile it "
                f"again with CenterLoss(model.get_layer({self.name!r})). Received: a layer that "
                "was not called"
            )
        known = ops.logical_and(labels >= 0, labels < self.classes)
        centers = ops.take(self.centers, ops.where(known, labels, 0), axis=0)
        return ops.where(known[:, None], centers, float("nan"))

    def move(self, labels: Any, embeddings: Any) -> None:
        """Move the centers towards embeddings (batch, dim) of labels (batch,), in training only."""
        if not self._is_training:
            return
        known = ops.logical_and(labels >= 0, labels < self.classes)
        labels = ops.where(known, labels, self.classes)  # a last row that is not used
        rows = self.classes + 1
        sums = ops.segment_sum(embeddings, labels, rows)[:-1]
        counts = ops.segment_sum(ops.ones_like(embeddings[:, :1]), labels, rows)[:-1]
        both = _over_replicas(ops.concatenate([sums, counts], axis=1))
        sums, counts = both[:, :-1], both[:, -1:]
        centers = ops.convert_to_tensor(self.centers)
        self.centers.assign(centers - self.rate * (counts * centers - sums) / (1 + counts))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return the shape of the embeddings."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "classes": self.classes, "rate": self.rate}


def _over_replicas(values: Any) -> Any:
    """Return the sum of a tensor over the replicas of `tf.distribute`."""
    if keras.backend.backend() != "tensorflow":
        return values  # JAX has one program for all devices; torch has one device.
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return values
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, values)
