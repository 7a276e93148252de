"""Find, download and read the weights that a user names by a tag, a path or the Hub."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_osnet.architecture.describe import describe
from keras_osnet.architecture.naming import classes_in
from keras_osnet.weights.catalogue import bundled_file, find_weights, list_weights
from keras_osnet.weights.convert import (
    ConversionReport,
    load_tensors,
    plain_names,
    to_torchreid,
)
from keras_osnet.weights.file_formats import (
    KERAS,
    KERAS_H5,
    SAFETENSORS,
    TORCH,
    file_format,
    is_weights_name,
)
from keras_osnet.weights.hub import download, resolve_hub_reference
from keras_osnet.weights.keras_h5 import KerasH5Source
from keras_osnet.weights.safetensors import read_description, read_safetensors
from keras_osnet.weights.torch_file.reader import read_torch_checkpoint


class TensorSource:
    """Arrays under torchreid names, whatever kind of file they came from.

    Attributes:
        tensors: The arrays.
        description: The arguments of `keras_osnet.OSNet` that build their model, where the file
            stores them (see `Configuration.to_dict`): `.keras`, or `.safetensors` of keras-osnet.
        classes: Rows of the classifier, None without one.
    """

    def __init__(
        self, tensors: Mapping[str, np.ndarray], description: dict[str, Any] | None = None
    ) -> None:
        self.tensors = tensors
        self.description = description
        self.classes = classes_in(tensors)

    def load_into(self, model: keras.Model) -> ConversionReport:
        """Set the variables of a model strictly, as `load_torchreid` does."""
        return load_tensors(model, self.tensors)


def open_weights(
    weights: str | os.PathLike[str], *, variant: str, width: float
) -> TensorSource | KerasH5Source:
    """Find and read weights; the arguments and errors are those of `resolve_weights`."""
    path = resolve_weights(weights, variant=variant, width=width)
    return KerasH5Source(path) if file_format(path) == KERAS_H5 else read_state_dict(path)


def resolve_weights(weights: str | os.PathLike[str], *, variant: str, width: float | None) -> Path:
    """Return the local path of weights, downloaded and verified unless they are cached.

    Args:
        weights: A tag of the catalogue, a local file, or `"hf://owner/repo[/file][@revision]"`.
        variant: `"base"`, `"ibn"` or `"ain"`, for which a tag is looked up.
        width: Width multiplier, likewise; None takes the only one published with the tag, or 1.0.

    Raises:
        ValueError: There is no such tag or file.
        OSError: The file cannot be read or downloaded.
    """
    if isinstance(weights, str) and weights.startswith("hf://"):
        return resolve_hub_reference(weights)
    tags = sorted({checkpoint.tag for checkpoint in list_weights()})
    if not isinstance(weights, (str, os.PathLike)) or not os.fspath(weights):
        raise ValueError(
            f"`weights` must be None, a tag ({', '.join(tags)}), the path of a file, or "
            f'"hf://owner/repo[/file][@revision]". Received: {weights!r}'
        )
    path = Path(weights).expanduser()
    # A tag takes precedence over a file of that name in the working directory.
    if path.is_file() and weights not in tags:
        return path
    if path.is_dir() and weights not in tags:
        raise ValueError(f"`weights` must be a file. Received the folder: {path}")
    if is_weights_name(str(weights)) or path.name != str(weights):
        raise ValueError(f"`weights` names a file that does not exist. Received: {path}")
    checkpoint = find_weights(str(weights), variant=variant, width=width)
    if checkpoint.repository is None:
        return bundled_file(checkpoint.file, str(checkpoint.sha256))
    return download(
        checkpoint.repository,
        checkpoint.file,
        revision=checkpoint.revision,
        sha256=checkpoint.sha256,
        size=checkpoint.size,
    )


def read_state_dict(path: str | os.PathLike[str]) -> TensorSource:
    """Read a file of weights as arrays under plain torchreid names and in torch's layout.

    Args:
        path: A torch checkpoint, a `.safetensors` file or a whole `.keras` model.

    Raises:
        ValueError: The file does not end in one of these, or does not hold an OSNet.
    """
    kind = file_format(path)
    if kind == TORCH:
        return TensorSource(plain_names(read_torch_checkpoint(path)))
    if kind == SAFETENSORS:
        return TensorSource(read_safetensors(path), read_description(path))
    if kind == KERAS:
        return _read_keras_model(path)
    raise ValueError(
        "`path` must be a torch checkpoint, a .safetensors file or a .keras model: the variables "
        f"of a .weights.h5 file have no names. Received: {os.fspath(path)}"
    )


def _read_keras_model(path: str | os.PathLike[str]) -> TensorSource:
    try:
        model = keras.saving.load_model(path, compile=False)
        return TensorSource(to_torchreid(model), describe(model))
    except Exception as error:  # Keras has no error class for unreadable files
        raise ValueError(f"{path} does not hold an OSNet saved by Keras: {error}") from error
