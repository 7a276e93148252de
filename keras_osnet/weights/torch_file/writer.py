"""Write tensors as a checkpoint that `torch.load(path, weights_only=True)` reads."""

import os
import struct
import zipfile
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np

from keras_osnet._utils.checks import check_dictionary
from keras_osnet._utils.files import atomic_path
from keras_osnet.weights.torch_file.tensors import STORAGES

# NumPy itself has no bfloat16.
_STORAGES = {element: name for element, name in STORAGES.items() if element != "bfloat16"}
# As PyTorch places storages, so that they can be mapped into memory.
_ALIGNMENT = 64
_LOCAL_HEADER_SIZE = 30
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_torch_checkpoint(
    path: str | os.PathLike[str],
    tensors: Mapping[str, np.ndarray],
    *,
    wrapper: str | None = None,
) -> None:
    """Write a checkpoint in the zip format of PyTorch 1.6 and later, without PyTorch.

    The same tensors give the same bytes. An existing file is replaced only once the new one is
    complete.

    Args:
        path: The file to write.
        tensors: Name to array of any shape. float16, float32, float64, signed integers, uint8,
            bool and complex.
        wrapper: If given, such as `"state_dict"`, the tensors are put into a dictionary under
            this name.

    Raises:
        ValueError: There are no tensors, a name is not text, or a value is not an array of one of
            these types. Nothing is written.
        FileNotFoundError: The folder does not exist.
    """
    if not tensors:
        raise ValueError(f"A checkpoint needs at least one tensor. Received: tensors={tensors!r}")
    check_dictionary("tensors", tensors)
    # A sum of an array without dimensions is a NumPy scalar.
    tensors = {
        name: np.asarray(value) if isinstance(value, np.generic) else value
        for name, value in tensors.items()
    }
    for name, array in tensors.items():
        if not isinstance(name, str):
            raise ValueError(f"The name of a tensor must be text. Received: {name!r}")
        if not isinstance(array, np.ndarray) or array.dtype.name not in _STORAGES:
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise ValueError(
                f"A tensor must be a NumPy array of one of {', '.join(_STORAGES)}. "
                f"Received: {name!r} of {kind}"
            )
    program = _pickle(tensors, wrapper)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        _write_zip(file, program, tensors)
        file.flush()
        os.fsync(file.fileno())


def _write_zip(file: BinaryIO, program: bytes, tensors: Mapping[str, np.ndarray]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, file, "data.pkl", program)
        _add(archive, file, "byteorder", b"little")
        for index, array in enumerate(tensors.values()):
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            _add(archive, file, f"data/{index}", little.tobytes())
        _add(archive, file, "version", b"3\n")


def _add(archive: zipfile.ZipFile, file: BinaryIO, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(f"archive/{name}", _EPOCH)
    info.create_system = 0  # or it would differ between operating systems
    # An extra field of the length that moves the content to a multiple of the alignment.
    start = file.tell() + _LOCAL_HEADER_SIZE + len(info.filename) + 4
    padding = -start % _ALIGNMENT
    info.extra = struct.pack("<2sH", b"FB", padding) + bytes(padding)
    archive.writestr(info, content)


def _pickle(tensors: Mapping[str, np.ndarray], wrapper: str | None) -> bytes:
    # The standard library's pickler can write a name only by importing its object.
    ordered_dict = b"ccollections\nOrderedDict\n)R"
    items = b"".join(
        _text(name) + _tensor(index, array) for index, (name, array) in enumerate(tensors.items())
    )
    state = ordered_dict + b"(" + items + b"u"
    if wrapper is not None:
        state = b"}" + _text(wrapper) + state + b"s"
    return b"\x80\x02" + state + b"."


def _tensor(index: int, array: np.ndarray) -> bytes:
    """Pickle `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`."""
    storage = _STORAGES[array.dtype.name].encode()
    strides = [1] * array.ndim
    for axis in range(array.ndim - 1, 0, -1):
        strides[axis - 1] = strides[axis] * max(array.shape[axis], 1)
    return b"".join(
        (
            b"ctorch._utils\n_rebuild_tensor_v2\n(",
            b"(" + _text("storage") + b"ctorch\n" + storage + b"\n",
            _text(str(index)) + _text("cpu") + _integer(array.size) + b"tQ",
            _integer(0),
            b"(" + b"".join(map(_integer, array.shape)) + b"t",
            b"(" + b"".join(map(_integer, strides)) + b"t",
            b"\x89ccollections\nOrderedDict\n)RtR",
        )
    )


def _text(text: str) -> bytes:
    encoded = text.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _integer(value: int) -> bytes:
    if value < 2**31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x08" + struct.pack("<q", value)
