"""Formats of weights files, by their file names."""

import os
import re

TORCH, SAFETENSORS, KERAS, KERAS_H5 = ("torch", "safetensors", "keras", "weights.h5")

_ENDINGS = {
    ".pth": TORCH,
    ".pth.tar": TORCH,
    ".pyth": TORCH,
    ".pt": TORCH,
    ".safetensors": SAFETENSORS,
    ".keras": KERAS,
    ".weights.h5": KERAS_H5,
}
_EPOCH = re.compile(r"(?<=\.pth\.tar)-[0-9]+$")
"""Epoch that torchreid appends to the names of its checkpoints, as in `model.pth.tar-60`."""


def file_format(path: str | os.PathLike[str]) -> str:
    """Return the format of a weights file: `TORCH`, `SAFETENSORS`, `KERAS` or `KERAS_H5`.

    Args:
        path: The file; only its name is used. An epoch may follow `.pth.tar`, as in torchreid.

    Raises:
        ValueError: The name has none of the known endings.
    """
    kind = _by_ending(_EPOCH.sub("", os.fspath(path)))
    if kind is None:
        raise _wrong_ending("weights", path)
    return kind


def destination_format(path: str | os.PathLike[str]) -> str:
    """Return the format of a file to write; unlike `file_format`, no epoch may follow the ending.

    Raises:
        ValueError: The name has none of the known endings.
    """
    kind = _by_ending(os.fspath(path))
    if kind is None:
        raise _wrong_ending("destination", path)
    return kind


def is_weights_name(name: str) -> bool:
    """Return whether a file's name has an ending that `file_format` knows."""
    return _by_ending(_EPOCH.sub("", name)) is not None


def _by_ending(name: str) -> str | None:
    return next((kind for ending, kind in _ENDINGS.items() if name.endswith(ending)), None)


def _wrong_ending(argument: str, path: str | os.PathLike[str]) -> ValueError:
    return ValueError(
        f"`{argument}` must end in one of {', '.join(_ENDINGS)}. Received: {os.fspath(path)}"
    )
