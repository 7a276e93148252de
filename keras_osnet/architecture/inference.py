"""Inference on a known number of images."""

import math
from collections.abc import Callable
from typing import Any

import keras
from numpy.typing import NDArray

from keras_osnet._utils.batches import padded

_FEW = 4
"""Batches of 32 images that TensorFlow computes sooner than it traces and optimizes an OSNet."""


def inference_of(model: keras.Model, images: int, batch_size: int) -> Callable[[NDArray], Any]:
    """Return the function that computes a model's outputs for all images soonest.

    It compiles the model, but not on TensorFlow for a few batches.

    Args:
        model: A functional model with one input.
        images: Number of images, at least 1.
        batch_size: Largest number of images in a batch.

    Returns:
        A function from a batch of the model's input, at most `batch_size` long, to the outputs as
        arrays.
    """
    size = min(batch_size, images)
    compiles = math.ceil(images / size) > _FEW or keras.backend.backend() != "tensorflow"

    def infer(batch: NDArray) -> Any:
        # All batches, the last included, have one shape: another one would be compiled again.
        given = keras.tree.pack_sequence_as(model.input, [padded(batch, size)])
        outputs = model.predict_on_batch(given) if compiles else model(given, training=False)
        return keras.tree.map_structure(
            lambda output: keras.ops.convert_to_numpy(output)[: len(batch)], outputs
        )

    return infer
