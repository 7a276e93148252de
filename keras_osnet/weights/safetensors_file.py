"""Weights as `.safetensors`: torchreid's names and layout, so that torch reads them too."""

import os
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_osnet.atomic import atomic_path
from keras_osnet.weights.conversion import plain_names, to_torchreid


def save_safetensors(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Save a model's weights as a state dict in the safetensors format.

    Args:
        model: A model of `keras_osnet.OSNet`.
        path: File to write, ending in `.safetensors`. It is replaced at once or not at all.
        metadata: Text to store in the file's header.

    Raises:
        ValueError: The model is not an OSNet, or the path does not end in `.safetensors`.
        ImportError: safetensors is not installed.
    """
    write_safetensors(path, to_torchreid(model), metadata=metadata)


def write_safetensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, np.ndarray],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays under torchreid names; see `save_safetensors`."""
    if not os.fspath(path).endswith(".safetensors"):
        raise ValueError(f"`path` must end in .safetensors. Received: {os.fspath(path)}")
    library = _safetensors()
    with atomic_path(path) as temporary:
        # "pt" tells readers that the layout is torch's.
        library.numpy.save_file(dict(tensors), temporary, {"format": "pt", **(metadata or {})})


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read arrays under plain torchreid names.

    Raises:
        FileNotFoundError: The path leads to no file.
        ValueError: The file is not in the safetensors format.
        ImportError: safetensors is not installed.
    """
    library = _safetensors()
    try:
        return plain_names(library.numpy.load_file(os.fspath(path)))
    except library.SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from error


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "Files in the .safetensors format need the package safetensors: "
            'pip install "keras-osnet[safetensors]"'
        ) from error
    return safetensors
