"""A Keras model that predicts without delay."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.tf_data import without_autotuning

_BATCH_SIZE = 32
"""What Keras takes where no `batch_size` is given."""


@keras.saving.register_keras_serializable(package="keras_osnet")
class PromptModel(keras.Model):
    """A functional model like any other, whose `predict` does not wait on TensorFlow.

    On TensorFlow Keras makes a tf.data pipeline of every array that it predicts on. To begin and
    end one takes longer than OSNet takes for a picture, and half of the time the end waits for
    longer (see `without_autotuning`). This model gives Keras a pipeline that does not wait, and
    none for what is one batch: of that, `verbose="auto"` shows no progress. Results are the same.

    It also refuses pictures of the wrong shape, which Keras, having seen several shapes, takes.

    Its arguments are those of `keras.Model`: inputs and outputs.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.layers import ConvNorm2D
        >>> from keras_osnet.architecture import PromptModel
        >>> image = keras.Input((64, 32, 3))
        >>> model = PromptModel(image, ConvNorm2D(8, kernel_size=3, strides=4)(image))
        >>> model.predict(np.zeros((5, 64, 32, 3), "uint8"), batch_size=2, verbose=0).shape
        (5, 16, 8, 8)
    """

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Return the model's outputs for all pictures; see `keras.Model.predict`.

        Raises:
            ValueError: If an array's shape is not the model's.
        """
        is_array = isinstance(x, np.ndarray) and len(self.inputs) == 1
        if is_array:
            self._check(x)
        size = _BATCH_SIZE if batch_size is None else batch_size
        if not (is_array and self._feeds() and isinstance(size, int) and size > 0):
            return super().predict(x, batch_size, verbose, steps, callbacks)
        images = x.astype(keras.config.floatx(), copy=False) if x.dtype.kind == "f" else x
        if len(x) <= size and verbose in (0, "auto") and steps is None and callbacks is None:
            return self.predict_on_batch(images)
        import tensorflow as tf

        # In a tuple, as `predict_on_batch` has it too: one trace serves both.
        batches = without_autotuning(tf.data.Dataset.from_tensor_slices((images,)).batch(size))
        return super().predict(batches, None, verbose, steps, callbacks)

    def _check(self, images: NDArray) -> None:
        expected = tuple(self.inputs[0].shape[1:])
        fits = images.ndim == 1 + len(expected) and all(
            size in (None, found) for size, found in zip(expected, images.shape[1:], strict=True)
        )
        if not (fits and len(images)):
            raise ValueError(
                f"`x` must be what {self.name} takes: one picture or more, in an array of shape "
                f"{(None, *expected)}. Received: shape {images.shape}"
            )

    def _feeds(self) -> bool:
        """Whether this is one device of TensorFlow's; on others Keras knows what to do."""
        return (
            keras.backend.backend() == "tensorflow"
            and self.distribute_strategy.num_replicas_in_sync == 1
        )
