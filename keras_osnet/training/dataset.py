"""Training batches for `model.fit`: a PyDataset, and a tf.data.Dataset.

Both give the same batches, to the bit. Both are endless, one epoch after the other, and `fit` gets
the length of an epoch: `model.fit(dataset, steps_per_epoch=len(batches), epochs=60)`. Thus a batch
depends only on its number. With a finite dataset it would not: Keras may have begun to fetch the
next epoch when it notifies the dataset of the end of one, and it shuffles batches with a stateful
generator. (For an endless PyDataset Keras warns that it will not shuffle; pass `shuffle=False`.)
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from keras_osnet._utils.tf_data import without_autotuning
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.architecture.preprocessing import takes_pixels
from keras_osnet.data import ImageBatches
from keras_osnet.data.transforms import Normalize, RandomErasing
from keras_osnet.training.recipe import Recipe

_AHEAD = 3
"""Number of batches that are prefetched: enough to even out large files."""


class TrainingDataset(keras.utils.PyDataset):
    """Training batches on every backend, without TensorFlow.

    The next batches are made in a background thread while the model trains.

    Args:
        batches: The batches.
        first_epoch: Index of the first epoch; set it to `initial_epoch` when resuming.
        outputs: Names of outputs of the model, for which labels are given as a dict: the same for
            all, unless those of `batches` are a dict already; None for a model with one output.

    Raises:
        ValueError: `outputs` is not a list of names.

    Example:
        ```python
        dataset = TrainingDataset(batches, outputs=["embedding", "logits"])
        model.fit(dataset, steps_per_epoch=len(batches), epochs=60, shuffle=False)
        ```
    """

    def __init__(
        self,
        batches: ImageBatches,
        first_epoch: int = 0,
        outputs: Sequence[str] | None = None,
    ) -> None:
        # With more workers Keras makes batches in its own threads and loses those in flight when
        # an epoch ends.
        super().__init__(workers=1)
        self.batches = batches
        self.first_epoch = first_epoch
        self.outputs = _checked_outputs(outputs)
        self._executor = ThreadPoolExecutor(max_workers=1)
        self._coming: dict[int, Future] = {}
        self._lock = threading.Lock()

    @property
    def num_batches(self) -> None:
        """None, because the dataset is endless."""
        return

    def __getitem__(self, index: int) -> tuple[np.ndarray, Any]:
        """Return batch `index`, counted from the start of the first epoch."""
        with self._lock:
            wanted = range(index, index + 1 + _AHEAD)
            # Batches that are no longer needed would delay the others.
            for number in set(self._coming) - set(wanted):
                self._coming.pop(number).cancel()
            for number in wanted:
                if number not in self._coming:
                    self._coming[number] = self._executor.submit(
                        _numbered_batch, self.batches, self.first_epoch, number
                    )
            batch = self._coming[index]
        images, labels = batch.result()
        return images, _for_outputs(labels, self.outputs)


def to_tf_dataset(
    batches: ImageBatches, first_epoch: int = 0, outputs: Sequence[str] | None = None
) -> Any:
    """Return training batches as a tf.data.Dataset, for further transformations or distribution.

    Args:
        batches: The batches.
        first_epoch: Index of the first epoch; set it to `initial_epoch` when resuming.
        outputs: Names of outputs of the model that all learn the same labels, as for
            `TrainingDataset`.

    Returns:
        An endless, prefetched `tf.data.Dataset` of (images, labels).

    Raises:
        ImportError: TensorFlow is not installed.
        ValueError: `outputs` is not a list of names.

    Example:
        ```python
        dataset = to_tf_dataset(batches)
        model.fit(dataset, steps_per_epoch=len(batches), epochs=60)
        ```
    """
    import tensorflow as tf

    names = _checked_outputs(outputs)
    example = batches.batch(first_epoch, 0)
    arrays = keras.tree.flatten(example)  # labels may be a dict
    types = [tf.as_dtype(array.dtype) for array in arrays]

    def load(number: Any) -> Any:
        batch = tf.numpy_function(
            lambda number: keras.tree.flatten(_numbered_batch(batches, first_epoch, int(number))),
            [number],
            types,
        )
        for tensor, array in zip(batch, arrays, strict=True):
            tensor.set_shape(array.shape)
        images, labels = keras.tree.pack_sequence_as(example, batch)
        return images, _for_outputs(labels, names)

    return without_autotuning(tf.data.Dataset.counter().map(load).prefetch(_AHEAD))


def _numbered_batch(batches: ImageBatches, first_epoch: int, number: int) -> tuple[np.ndarray, Any]:
    """Return the batch with a number, counted from the start of the first epoch."""
    epoch, index = divmod(number, len(batches))
    return batches.batch(first_epoch + epoch, index)


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
    if outputs is None:
        return labels
    own = labels if isinstance(labels, dict) else dict.fromkeys(outputs, labels)
    return {name: own[name] for name in outputs}


def make_batches(
    recipe: Recipe,
    model: keras.Model,
    images: Any,
    labels: Any,
    *,
    kind: Callable[..., ImageBatches] = ImageBatches,
    **arguments: Any,
) -> ImageBatches:
    """Return a recipe's batches for a model; further arguments are those of `kind`."""
    batch_size = recipe.batch_size
    if isinstance(batch_size, int) and batch_size > len(images):
        warn_user(
            f"There are fewer images than in a batch of {recipe.name}: each step is on all "
            f"{len(images)} of them, in place of {batch_size}."
        )
        batch_size = len(images)
    size = recipe.resize or model.input_shape[1:3]
    if None in size:
        raise ValueError(
            "`model` must have a fixed image size, or the recipe a `resize`. "
            f"Received: {model.name} with the input shape {model.input_shape}"
        )
    steps = recipe.make_steps()
    if not takes_pixels(model):
        # Erased regions are filled after normalization.
        erasing = (place for place, step in enumerate(steps) if isinstance(step, RandomErasing))
        steps.insert(next(erasing, len(steps)), Normalize())
    return kind(images, labels, image_size=size, batch_size=batch_size, steps=steps, **arguments)
