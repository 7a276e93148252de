"""Formats of weights files: by the content when they are read, by the name when written."""

import os
import re

from keras_osnet._utils.files import open_regular

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
LARGEST_FILE = 4 << 30
"""Bytes of a weights file that are read at most; the largest OSNet has some 10 MB."""

_EPOCH = re.compile(r"(?<=\.pth\.tar)-[0-9]+$")
"""Epoch that torchreid appends to the names of its checkpoints, as in `model.pth.tar-60`."""

_MAX_HEADER = 100_000_000  # bytes of the header of a .safetensors file, by its definition
_IN_KERAS = (b"metadata.json", b"config.json", b"model.weights.h5", b"assets")
"""Beginnings of the entries of a `.keras` archive; those of torch are all in one folder."""
_OTHERS = (
    (4, b"TFL3", "is a LiteRT model, which keras_osnet.runtime.Embedder opens"),
    (0, b"<?xml", "is an OpenVINO model, which keras_osnet.runtime.Embedder opens"),
    (0, b"\x08", "is an ONNX model, which keras_osnet.runtime.Embedder opens"),
    (0, b"version https://git-lfs", "is a pointer of Git LFS; get the file by `git lfs pull`"),
    (0, b"\x1f\x8b", "is compressed by gzip; unpack it"),
    (0, b"BZh", "is compressed by bzip2; unpack it"),
    (0, b"\xfd7zXZ", "is compressed by xz; unpack it"),
    (0, b"7z\xbc\xaf", "is compressed by 7-Zip; unpack it"),
    (0, b"Rar!", "is compressed by RAR; unpack it"),
    (0, b"\x28\xb5\x2f\xfd", "is compressed by Zstandard; unpack it"),
    (0, b"{", "is text, such as a configuration or an index of weights"),
    (0, b"<", "is a web page; a download gave it in place of the file"),
)
"""Position and bytes that other files begin with, and their description."""


def file_format(path: str | os.PathLike[str]) -> str:
    """Return the format of a weights file: `TORCH`, `SAFETENSORS`, `KERAS` or `KERAS_H5`.

    It is known by the first bytes of the file, whatever its name.

    Raises:
        ValueError: The file is none of these, or not a regular file.
        OSError: It cannot be read.
    """
    try:
        with open_regular(path) as file:
            start = file.read(512)
    except OSError as error:
        error.filename = error.filename or os.fspath(path)  # which a failed read does not name
        raise
    # First, as the size of the header can begin like any of the others.
    if start[8:9] == b"{" and 0 < int.from_bytes(start[:8], "little") <= _MAX_HEADER:
        return SAFETENSORS
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return KERAS_H5
    if start.startswith(b"PK\3\4"):
        name = start[30 : 30 + int.from_bytes(start[26:28], "little")]
        return KERAS if name.startswith(_IN_KERAS) else TORCH
    if start.startswith(b"\x80") or start[257:262] == b"ustar":
        return TORCH
    content = f"begins {start[:8]!r}" if start else "is empty"
    content = next((text for at, mark, text in _OTHERS if start.startswith(mark, at)), content)
    raise ValueError(
        "Weights must be a torch checkpoint, or a .safetensors, .keras or .weights.h5 file; this "
        f"file {content}. Received: {os.fspath(path)}"
    )


def destination_format(path: str | os.PathLike[str]) -> str:
    """Return the format of a file to write, by its name; no epoch may follow the ending.

    Raises:
        ValueError: The name has none of the known endings.
    """
    kind = _by_ending(os.fspath(path))
    if kind is None:
        raise ValueError(
            f"`destination` must end in one of {', '.join(_ENDINGS)}. Received: {os.fspath(path)}"
        )
    return kind


def is_weights_name(name: str) -> bool:
    """Return whether a file's name has one of the usual endings."""
    return _by_ending(_EPOCH.sub("", name.lower())) is not None


def _by_ending(name: str) -> str | None:
    return next((kind for ending, kind in _ENDINGS.items() if name.endswith(ending)), None)
