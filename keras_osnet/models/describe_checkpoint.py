"""Describe the layers of a model and the content of a checkpoint."""

import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import keras

from keras_osnet.models.load_model import Checkpoint
from keras_osnet.weights.sources import TensorSource


@dataclass(frozen=True)
class LayerDescription:
    """One layer of a model.

    Attributes:
        name: The layer's name, such as `conv2_block1`.
        kind: Its class.
        output_shape: Shape of its result for one image.
        parameters: Actual number of trainable parameters.
    """

    name: str
    kind: str
    output_shape: tuple[int | None, ...]
    parameters: int


@dataclass(frozen=True)
class CheckpointDescription:
    """Content of a weights file.

    Attributes:
        file: The file's path.
        size: Its size in bytes.
        sha256: Its digest.
        architecture: The network it belongs to, such as `osnet_x0_25`.
        classes: Rows of the classifier, None without one.
        tensors: Number of tensors by type, such as `{"float32": 393}`; None for a `.weights.h5`.
    """

    file: str
    size: int
    sha256: str
    architecture: str
    classes: int | None
    tensors: dict[str, int] | None


def describe_layers(model: keras.Model) -> list[LayerDescription]:
    """List a functional model's layers in the order of the network."""
    return [
        LayerDescription(
            name=layer.name,
            kind=type(layer).__name__,
            output_shape=_shape_of_one(layer.output),
            parameters=sum(math.prod(variable.shape) for variable in layer.trainable_variables),
        )
        for layer in model.layers
    ]


def describe_checkpoint(checkpoint: Checkpoint) -> CheckpointDescription:
    """Describe the content of a weights file."""
    tensors = None
    if isinstance(checkpoint.source, TensorSource):
        types = (array.dtype.name for array in checkpoint.source.tensors.values())
        tensors = dict(Counter(types).most_common())
    with checkpoint.path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return CheckpointDescription(
        file=str(checkpoint.path),
        size=checkpoint.path.stat().st_size,
        sha256=digest,
        architecture=checkpoint.architecture,
        classes=checkpoint.classes,
        tensors=tensors,
    )


def _shape_of_one(tensors: Any) -> tuple[int | None, ...]:
    """Return a shape without the batch, of the feature map where a layer also returns gates."""
    tensor = tensors[0] if isinstance(tensors, (list, tuple)) else tensors
    return tuple(tensor.shape[1:])
