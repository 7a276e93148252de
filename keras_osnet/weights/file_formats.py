"""The formats of weights files, known by the ending of their names."""

import os

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
WEIGHTS_ENDINGS = tuple(_ENDINGS)


def file_format(path: str | os.PathLike[str], argument: str = "weights") -> str:
    """Return the format of a weights file: `TORCH`, `SAFETENSORS`, `KERAS` or `KERAS_H5`.

    Args:
        path: The file; only its name is looked at.
        argument: Name of the argument that it was given as, for the error.

    Raises:
        ValueError: The name has none of the known endings.
    """
    name = os.fspath(path)
    for ending, kind in _ENDINGS.items():
        if name.endswith(ending):
            return kind
    raise ValueError(
        f"`{argument}` must end in one of {', '.join(WEIGHTS_ENDINGS)}. Received: {name}"
    )
