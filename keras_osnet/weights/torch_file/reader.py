"""Read the tensors of a PyTorch checkpoint without PyTorch, and without trusting the file."""

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_osnet.weights.torch_file.arrays import ArrayMaker
from keras_osnet.weights.torch_file.containers import open_container
from keras_osnet.weights.torch_file.objects import Tensor
from keras_osnet.weights.torch_file.values import RefusedError, describe

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Names under which training scripts put the tensors beside the epoch and the optimizer."""


class CheckpointError(ValueError):
    """A file is not a checkpoint that can be read; the message says which and why."""


def read_torch_checkpoint(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the tensors of a checkpoint that `torch.save` wrote.

    A checkpoint is a pickle, that is, a program. It is read here by a machine that can build
    containers and scalars from a fixed list and has no way to import or call anything, so that a
    file from anywhere can be opened. PyTorch is not needed.

    Both formats are read: the zip archive of PyTorch 1.6 and later, and the one before it. A
    dictionary with the entry "state_dict", "model_state_dict" or "model" is unwrapped; entries
    beside the tensors that are not tensors are left out.

    Args:
        path: The file.

    Returns:
        Name to array, in the file's order, names unchanged (DataParallel's `module.` stays).
        Shapes and element types are the file's; bfloat16 becomes float32, which is exact. The
        arrays are read-only and share memory with each other where the tensors did.

    Raises:
        CheckpointError: If the file is something else, damaged, holds anything but tensors,
            containers and scalars, or holds no tensors.
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If it is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"A checkpoint is a file. Received the folder: {path}")
    with path.open("rb") as file:
        try:
            check_start(file.read(265))
            # Mapped, so that of a file which claims to be huge only what is looked at is read.
            return parse_checkpoint(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except MemoryError:
            raise CheckpointError(f"{path} holds more than there is memory for.") from None
        except RefusedError as error:
            raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}.") from None


def check_start(start: bytes) -> None:
    """Check that a file begins like a checkpoint.

    Args:
        start: Its first 265 bytes, or all if it has fewer.

    Raises:
        RefusedError: If it does not.
    """
    if not start:
        raise RefusedError("it is empty")
    if start.startswith((b"PK\3\4", b"\x80")):
        return
    if start[257:262] == b"ustar":
        raise RefusedError(
            "it is a tar archive, the format of PyTorch before 0.1.10, which is not supported; "
            "load and save it again with a newer PyTorch"
        )
    raise RefusedError(f"it is neither a zip archive nor a pickle, it begins {start[:8]!r}")


def parse_checkpoint(data: bytes | mmap.mmap) -> dict[str, np.ndarray]:
    """Read the tensors of a checkpoint from memory.

    Args:
        data: The whole file, in memory or mapped into it.

    Returns:
        As `read_torch_checkpoint`.

    Raises:
        RefusedError: If it cannot be read.
    """
    check_start(data[:265])
    container = open_container(data)
    tensors = _find_tensors(container.root)
    arrays = ArrayMaker(container)
    result = {}
    for name, tensor in tensors.items():
        try:
            result[name] = arrays.make(tensor)
        except RefusedError as error:
            raise RefusedError(f"in the tensor {describe(name)}, {error}") from None
    return result


def _find_tensors(root: Any) -> dict[str, Tensor]:
    if isinstance(root, dict):
        for name in WRAPPERS:
            inner = root.get(name)
            if isinstance(inner, dict) and _holds_tensors(inner):
                root = inner
                break
    if not isinstance(root, dict) or not _holds_tensors(root):
        keys = ", ".join(describe(key) for key in list(root)[:8]) if isinstance(root, dict) else ""
        raise RefusedError(
            f"it holds no dictionary of tensors but {describe(root)}"
            + (f" with the keys {keys}" if keys else "")
        )
    tensors = {}
    for name, value in root.items():
        if isinstance(value, Tensor):
            if not isinstance(name, str):
                raise RefusedError(f"the name of a tensor must be text. Received: {describe(name)}")
            tensors[name] = value
    return tensors


def _holds_tensors(values: dict[Any, Any]) -> bool:
    return any(isinstance(value, Tensor) for value in values.values())
