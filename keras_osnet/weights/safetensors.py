"""Weights as `.safetensors`: torchreid's names and layout, so that torch reads them too."""

import json
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_osnet._utils import optional
from keras_osnet._utils.files import atomic_path, parse_json, read_bytes
from keras_osnet.architecture.describe import describe
from keras_osnet.architecture.naming import check_description
from keras_osnet.version import __version__
from keras_osnet.weights.convert import to_torchreid
from keras_osnet.weights.file_formats import LARGEST_FILE
from keras_osnet.weights.state_dict import StateDict, state_dict_of

_DESCRIPTION = "model"
_TYPES = {
    **{f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)},
    **{"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2", "BOOL": "?", "C64": "<c8"},
}
"""NumPy's types by those of the format."""


def save_safetensors(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Save a model's weights as a state dict in the safetensors format.

    The file's header has the arguments of `keras_osnet.OSNet` that build the model, so that it can
    be evaluated or converted without them.

    Args:
        model: A model of `keras_osnet.OSNet`.
        path: File to write, ending in `.safetensors`. It is replaced atomically.

    Raises:
        ValueError: The model is not an OSNet, or the path does not end in `.safetensors`.
        FileNotFoundError: The folder does not exist.
        ImportError: safetensors is not installed.
    """
    if not os.fspath(path).endswith(".safetensors"):
        raise ValueError(f"`path` must end in .safetensors. Received: {os.fspath(path)}")
    metadata = {
        "format": "pt",  # marks the layout as torch's
        "library": f"keras-osnet {__version__}",
        _DESCRIPTION: json.dumps(describe(model)),
    }
    library = _safetensors()
    content = library.numpy.save(to_torchreid(model), metadata)
    with atomic_path(path) as temporary:
        # Not `save_file`, whose files are readable by their owner only.
        temporary.write_bytes(content)


def read_safetensors(
    path: str | os.PathLike[str], key: str | None = None
) -> tuple[StateDict, dict[str, Any] | None]:
    """Read arrays under plain torchreid names, and the arguments of `keras_osnet.OSNet` with them.

    The arguments are None if the header has none.

    Raises:
        FileNotFoundError: The path leads to no file.
        ValueError: The file is not in the safetensors format, or holds several networks, or none
            under the key, or its arguments do not belong to its arrays.
        ImportError: safetensors is not installed.
    """
    library = _safetensors()
    content = read_bytes(path, LARGEST_FILE)  # not mapped: a file that is cut then would end Python
    try:
        tensors = {name: _array(**entry) for name, entry in library.deserialize(content)}
        header = parse_json(content[8 : 8 + int.from_bytes(content[:8], "little")], "its header")
        text = header.get("__metadata__", {}).get(_DESCRIPTION)
        description = None if text is None else parse_json(text, "its description")
    except (library.SafetensorError, ValueError) as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from error
    except (KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} holds numbers of a type that is not read: {error}") from error
    try:
        state = state_dict_of(tensors, key)
        if description is not None:
            check_description(description, state.tensors)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as weights: {error}") from error
    return state, description


def _array(dtype: str, shape: Sequence[int], data: bytes) -> np.ndarray:
    """Return a tensor as an array; raise KeyError for a type that is not in `_TYPES`."""
    array = np.frombuffer(data, _TYPES[dtype]).reshape(shape)
    # NumPy has no bfloat16, which is the upper half of a float32.
    return (array.astype("<u4") << 16).view("<f4") if dtype == "BF16" else array


def _safetensors() -> Any:
    optional.check_installed("safetensors", "The .safetensors format", "safetensors")
    import safetensors.numpy

    return safetensors
