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
    return _known("weights", path, _EPOCH.sub("", os.fspath(path)))


def destination_format(path: str | os.PathLike[str]) -> str:
    """Return the format of a file to write; unlike `file_format`, no epoch may follow the ending.

    Raises:
        ValueError: The name has none of the known endings.
    """
    return _known("destination", path, os.fspath(path))


def is_weights_name(name: str) -> bool:
    """Return whether a file's name has an ending that `file_format` knows."""
    return _by_ending(_EPOCH.sub("", name)) is not None


def _by_ending(name: str) -> str | None:
    return next((kind for ending, kind in _ENDINGS.items() if name.endswith(ending)), None)


def _known(argument: str, path: str | os.PathLike[str], name: str) -> str:
    kind = _by_ending(name)
    if kind is None:
        raise ValueError(
            f"`{argument}` must end in one of {', '.join(_ENDINGS)}. Received: {os.fspath(path)}"
        )
    return kind
