"""Read the tensors of a PyTorch checkpoint without PyTorch, and without trusting the file.

Both file formats of `torch.save` are supported: the zip archive, of which an entry is a view of the
bytes of the file (the standard library's `zipfile` copies and unpacks: a gigabyte of zeros takes a
megabyte there), and the sequence of pickles before PyTorch 1.6.
"""

import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_osnet.weights.torch_file.pickle_machine import RefusedError, describe, load_pickle
from keras_osnet.weights.torch_file.tensors import (
    NAMES,
    ArrayMaker,
    Storage,
    StorageTable,
    Tensor,
    item_size,
)

_END = struct.Struct("<4s4H2LH")
_END_64_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX_COMMENT = 65535
_IN_EXTRA_FIELD = 0xFFFFFFFF
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001

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
        CheckpointError: The file is something else, damaged, holds anything but tensors,
            containers and scalars, or holds no tensors.
        FileNotFoundError: There is no such file.
        IsADirectoryError: The path is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"A checkpoint is a file. Received the folder: {path}")
    with path.open("rb") as file:
        try:
            check_start(file.read(265))
            # Mapped, so that only accessed parts of a file that claims to be huge are read.
            return parse_checkpoint(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except MemoryError:
            raise CheckpointError(f"{path} holds more than there is memory for.") from None
        except RefusedError as error:
            raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}.") from None


def check_start(start: bytes) -> None:
    """Raise `RefusedError` unless a file of these first 265 bytes begins like a checkpoint."""
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
    """Read the tensors of a whole file in memory, or raise `RefusedError`."""
    check_start(data[:265])
    container = _ZipContainer(data) if data[:4] == b"PK\3\4" else _LegacyContainer(data)
    tensors = _find_tensors(container.root)
    arrays = ArrayMaker(container.content, container.byte_order)
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


class _ZipContainer:
    """The format of PyTorch 1.6 and later: a pickle and one entry a storage."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._zip = _StoredZip(data)
        names = self._zip.entries
        folders = [name.split("/")[0] for name in names if name.partition("/")[2] == "data.pkl"]
        if len(folders) != 1:
            raise RefusedError(
                "it is a zip archive but not a checkpoint, which has one folder with a data.pkl; "
                f"the archive has {len(names)} entries and {len(folders)} such folders"
            )
        self._folder = folders[0]
        code = (f"{self._folder}/constants.pkl", f"{self._folder}/code/")
        if any(name.startswith(code) for name in names):
            raise RefusedError(
                "it is a TorchScript program, written by torch.jit.save; save the state_dict() of "
                "the model with torch.save instead"
            )
        self.byte_order = "<"
        if f"{self._folder}/byteorder" in names:
            order = bytes(self._zip.read(f"{self._folder}/byteorder"))
            if order not in (b"little", b"big"):
                raise RefusedError(f"the byte order is not known: {describe(order)}")
            self.byte_order = "<" if order == b"little" else ">"
        program = bytes(self._zip.read(f"{self._folder}/data.pkl"))
        self.root, _ = load_pickle(program, 0, NAMES, StorageTable().load)

    def content(self, storage: Storage) -> memoryview:
        """Return the bytes of a storage, or raise `RefusedError`."""
        content = self._zip.read(f"{self._folder}/data/{storage.key}")
        size = storage.numel * item_size(storage.element)
        if len(content) != size:
            raise RefusedError(f"its storage should have {size} bytes and has {len(content)}")
        return content


class _LegacyContainer:
    """The format before 1.6: five pickles, then the storages one after the other."""

    # On any machine, numbers are written with the low byte first.
    byte_order = "<"

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data = memoryview(data)
        self._starts: dict[str, int] = {}
        magic, position = load_pickle(data, 0, NAMES)
        if magic != _MAGIC:
            raise RefusedError(
                f"it is a pickle but not a checkpoint, whose first value is {_MAGIC:#x}; this "
                f"one's is {describe(magic)}"
            )
        protocol, position = load_pickle(data, position, NAMES)
        if protocol != _PROTOCOL:
            raise RefusedError(f"the version must be {_PROTOCOL}. Received: {describe(protocol)}")
        _, position = load_pickle(data, position, NAMES)  # facts about the machine it was made on
        storages = StorageTable()
        self.root, position = load_pickle(data, position, NAMES, storages.load)
        keys, position = load_pickle(data, position, NAMES)
        if not isinstance(keys, list):
            raise RefusedError(f"the list of storages is missing. Received: {describe(keys)}")
        for key in keys:
            position = self._add_storage(key, storages, position)

    def _add_storage(self, key: object, storages: StorageTable, position: int) -> int:
        """Note where a storage begins and return where it ends."""
        if not isinstance(key, str) or key not in storages.by_key or key in self._starts:
            raise RefusedError(f"the list of storages has an unknown key: {describe(key)}")
        storage = storages.by_key[key]
        numel = int.from_bytes(self._data[position : position + 8], "little")
        start, end = position + 8, position + 8 + numel * item_size(storage.element)
        if numel != storage.numel or end > len(self._data):
            raise RefusedError(
                f"the storage {describe(key)} is cut off or damaged: it needs {end - start} bytes "
                f"({numel} elements by its header, {storage.numel} by its name), and "
                f"{max(len(self._data) - start, 0)} are there"
            )
        self._starts[key] = start
        return end

    def content(self, storage: Storage) -> memoryview:
        """Return the bytes of a storage, or raise `RefusedError`."""
        if storage.key not in self._starts:
            raise RefusedError(f"the file has no storage {describe(storage.key)}")
        start = self._starts[storage.key]
        return self._data[start : start + storage.numel * item_size(storage.element)]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file in an archive: where its content begins, its bytes, and its CRC-32 as stated."""

    start: int
    size: int
    crc: int


class _StoredZip:
    """The entries of a zip file without compression.

    Raises:
        RefusedError: The file is damaged, has compressed, encrypted, overlapping or repeated
            entries, or several disks.
    """

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data = data
        self.entries: dict[str, _Entry] = {}
        try:
            position, end, count = self._find_directory()
            for _ in range(count):
                position = self._add_entry(position, end)
        except struct.error:
            raise RefusedError("the zip archive is cut off or damaged") from None
        # Entries that lie over each other would let a small file claim any amount of data.
        total = sum(entry.size for entry in self.entries.values())
        if total > len(data):
            raise RefusedError(
                f"the entries of the zip archive overlap: {total} bytes in a file of {len(data)}"
            )

    def read(self, name: str) -> memoryview:
        """Return the content of an entry without a copy, or raise `RefusedError`."""
        if name not in self.entries:
            raise RefusedError(f"the zip archive has no entry {describe(name)}")
        entry = self.entries[name]
        content = memoryview(self._data)[entry.start : entry.start + entry.size]
        crc = zlib.crc32(content)
        if crc != entry.crc:
            raise RefusedError(
                f"the entry {describe(name)} of the zip archive is damaged: its CRC-32 is "
                f"{crc:08x}, the archive says {entry.crc:08x}"
            )
        return content

    def _find_directory(self) -> tuple[int, int, int]:
        """Return where the directory of entries begins and ends, and how many it has."""
        data = self._data
        at = data.rfind(b"PK\5\6", max(0, len(data) - _END.size - _MAX_COMMENT))
        if at < 0:
            raise RefusedError("the zip archive is cut off: it has no directory of its entries")
        _, disk, first_disk, _, count, size, start, _ = _END.unpack_from(data, at)
        locator = data[max(0, at - _END_64_LOCATOR.size) : at]
        if locator.startswith(b"PK\6\7") and len(locator) == _END_64_LOCATOR.size:
            at = _END_64_LOCATOR.unpack(locator)[2]
            if data[at : at + 4] != b"PK\6\6":
                raise RefusedError("the zip archive has no 64-bit directory where it says")
            fields = _END_64.unpack_from(data, at)
            disk, first_disk, count, size, start = *fields[4:6], *fields[7:10]
        if disk or first_disk:
            raise RefusedError("the zip archive is one of several disks")
        if start + size > at:
            raise RefusedError("the directory of the zip archive lies outside of the file")
        return start, start + size, count

    def _add_entry(self, position: int, end: int) -> int:
        """Check an entry of the directory and return where the next one begins."""
        fields = _CENTRAL.unpack_from(self._data, position)
        signature, flags, method = fields[0], fields[3], fields[4]
        crc, packed, size, name_size, extra_size, comment_size = fields[7:13]
        start = fields[16]
        name_at = position + _CENTRAL.size
        following = name_at + name_size + extra_size + comment_size
        if signature != b"PK\1\2" or following > end:
            raise RefusedError("the directory of the zip archive is damaged")
        encoded = self._data[name_at : name_at + name_size]
        name = encoded.decode("utf-8", "replace")
        if name in self.entries:
            raise RefusedError(f"the zip archive has the entry {describe(name)} twice")
        if method != 0 or flags & 1:
            raise RefusedError(
                f"the entry {describe(name)} of the zip archive is compressed or encrypted, which "
                f"PyTorch does not do: method {method}, flags {flags}"
            )
        extra = self._data[name_at + name_size : name_at + name_size + extra_size]
        size, packed, start = _widen(extra, size, packed, start)
        local = _LOCAL.unpack_from(self._data, min(start, len(self._data)))
        content = start + _LOCAL.size + local[9] + local[10]
        named = self._data[start + _LOCAL.size : start + _LOCAL.size + local[9]]
        if local[0] != b"PK\3\4" or named != encoded or packed != size:
            raise RefusedError(f"the entry {describe(name)} of the zip archive is damaged")
        if content + size > len(self._data):
            raise RefusedError(
                f"the entry {describe(name)} of the zip archive claims {size} bytes at {content} "
                f"of a file of {len(self._data)}"
            )
        self.entries[name] = _Entry(content, size, crc)
        return following


def _widen(extra: bytes, *fields: int) -> list[int]:
    """Replace fields that 32 bits cannot hold by those of the extra field of a large file."""
    wide: list[int] = []
    position = 0
    while position + 4 <= len(extra):
        tag, size = struct.unpack_from("<HH", extra, position)
        if tag == 1:
            count = min(size, len(extra) - position - 4) // 8
            wide = list(struct.unpack_from(f"<{count}Q", extra, position + 4))
        position += 4 + size
    if len(wide) < fields.count(_IN_EXTRA_FIELD):
        raise RefusedError("the zip archive lacks the size of a large entry")
    # They come in this order, and only those that are missing.
    missing = iter(wide)
    return [next(missing) if field == _IN_EXTRA_FIELD else field for field in fields]
