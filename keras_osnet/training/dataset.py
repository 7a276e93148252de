"""Training pictures for `model.fit`: without TensorFlow, and as a tf.data.Dataset.

Both give the same batches, to the bit. Both are endless, one epoch after the other, and `fit` is
told how long an epoch is: `model.fit(dataset, steps_per_epoch=len(pictures), epochs=60)`. Thus a
batch's number alone says which it is. Keras tells a dataset that an epoch ends after it may have
begun to fetch the next, and shuffles the batches of finite ones by a generator with a state. (For
an endless PyDataset it warns that it will not: `shuffle=False` says that none is expected.)
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from keras_osnet._utils.tf_data import without_autotuning
from keras_osnet.data.batches import ImageBatches

_AHEAD = 3
"""Batches made while the model trains on another: enough to smooth over large files."""


class TrainingDataset(keras.utils.PyDataset):
    """Training pictures on every backend, with no need of TensorFlow.

    The next batches are made in the background, in threads, while the model trains.

    Args:
        pictures: Where the batches come from.
        first_epoch: What the first epoch asked for is; `fit`'s `initial_epoch` after a restart.
        outputs: Names of outputs of the model that all learn the same labels, which then come as a
            dict; of the model's only output if not given.

    Raises:
        ValueError: If `outputs` is not a list of names.

    Example:
        ```python
        dataset = TrainingDataset(pictures, outputs=["embedding", "logits"])
        model.fit(dataset, steps_per_epoch=len(pictures), epochs=60, shuffle=False)
        ```
    """

    def __init__(
        self,
        pictures: ImageBatches,
        first_epoch: int = 0,
        outputs: Sequence[str] | None = None,
    ) -> None:
        # With more, Keras makes batches in threads, and loses those in flight when an epoch ends.
        super().__init__(workers=1)
        self.pictures = pictures
        self.first_epoch = first_epoch
        self.outputs = _checked_outputs(outputs)
        self._executor = ThreadPoolExecutor(max_workers=1)
        self._coming: dict[int, Future] = {}
        self._lock = threading.Lock()

    @property
    def num_batches(self) -> None:
        """None, which to Keras means endless."""
        return

    def __getitem__(self, index: int) -> tuple[np.ndarray, Any]:
        """Return batch `index`, counted from the start of the first epoch on."""
        with self._lock:
            wanted = range(index, index + 1 + _AHEAD)
            # Those that nobody asks for any more would stand in the way.
            for number in set(self._coming) - set(wanted):
                self._coming.pop(number).cancel()
            for number in wanted:
                if number not in self._coming:
                    self._coming[number] = self._executor.submit(
                        numbered_batch, self.pictures, self.first_epoch, number
                    )
            batch = self._coming[index]
        images, labels = batch.result()
        return images, _for_outputs(labels, self.outputs)


def to_tf_dataset(
    pictures: ImageBatches, first_epoch: int = 0, outputs: Sequence[str] | None = None
) -> Any:
    """Training pictures as a tf.data.Dataset, to go on with or to distribute.

    Args:
        pictures: Where the batches come from.
        first_epoch: What the first epoch is; `fit`'s `initial_epoch` after a restart.
        outputs: Names of outputs of the model that all learn the same labels, as for
            `TrainingDataset`.

    Returns:
        A `tf.data.Dataset` of (images, labels) without end, prefetched.

    Raises:
        ImportError: If TensorFlow is not installed.
        ValueError: If `outputs` is not a list of names.

    Example:
        ```python
        dataset = to_tf_dataset(pictures)
        model.fit(dataset, steps_per_epoch=len(pictures), epochs=60)
        ```
    """
    import tensorflow as tf

    names = _checked_outputs(outputs)
    example = pictures.batch(first_epoch, 0)
    types = [tf.as_dtype(array.dtype) for array in example]

    def load(number: Any) -> Any:
        batch = tf.numpy_function(
            lambda number: numbered_batch(pictures, first_epoch, int(number)), [number], types
        )
        for tensor, array in zip(batch, example, strict=True):
            tensor.set_shape(array.shape)
        images, labels = batch
        return images, _for_outputs(labels, names)

    return without_autotuning(tf.data.Dataset.counter().map(load).prefetch(_AHEAD))


def numbered_batch(
    pictures: ImageBatches, first_epoch: int, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """The batch with a number, counted from the start of the first epoch on."""
    epoch, index = divmod(number, len(pictures))
    return pictures.batch(first_epoch + epoch, index)


def _checked_outputs(outputs: Sequence[str] | None) -> tuple[str, ...] | None:
    if outputs is None:
        return None
    if isinstance(outputs, str) or not outputs or not all(isinstance(n, str) for n in outputs):
        raise ValueError(
            "`outputs` must be a list of names of the model's outputs, or None. "
            f"Received: {outputs!r}"
        )
    return tuple(outputs)


def _for_outputs(labels: Any, outputs: tuple[str, ...] | None) -> Any:
    return labels if outputs is None else dict.fromkeys(outputs, labels)
