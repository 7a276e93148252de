"""Read the tensors of a PyTorch checkpoint without PyTorch, and without trusting the file.

Both file formats of `torch.save` are supported: the zip archive (the standard library's `zipfile`
unpacks its entries: a gigabyte of zeros takes a megabyte there), and the sequence of pickles before
PyTorch 1.6. Only the parts that are needed are read. Nothing is mapped into memory, as a mapped
file that another process cuts ends this one.
"""

import itertools
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from keras_osnet._utils.checks import path_of
from keras_osnet._utils.files import open_regular
from keras_osnet.weights.state_dict import Network, StateDict, find_network
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

MAX_PICKLE = 2**28
"""Bytes of a pickle (100 kB for a network alone), or of the directory of a zip archive."""


class CheckpointError(ValueError):
    """A file is not a checkpoint that can be read; the message says which and why."""


def read_torch_checkpoint(
    path: str | os.PathLike[str], *, key: str | None = None
) -> dict[str, np.ndarray]:
    """Read the tensors of a checkpoint that `torch.save` wrote.

    A checkpoint is a pickle, that is, a program. It is read here by a machine that can build
    containers and scalars from a fixed list and has no way to import or call anything, so that a
    file from anywhere can be opened. PyTorch is not needed.

    Both formats are read: the zip archive of PyTorch 1.6 and later, and the one before it. The
    dictionary that holds an OSNet is taken, under whatever keys it is; of other networks the entry
    "state_dict", "model_state_dict" or "model", or else the whole. Entries beside the tensors that
    are not tensors are left out.

    Args:
        path: The file.
        key: Key of the dictionary (several joined with dots), where there are several networks.

    Returns:
        Name to array, in the file's order, names unchanged (DataParallel's `module.` stays).
        Shapes and element types are the file's; bfloat16 becomes float32, which is exact. The
        arrays are read-only and share memory with each other where the tensors did.

    Raises:
        CheckpointError: The file is something else, damaged, names anything but tensors,
            containers, scalars and the inert types of the documentation, or holds no tensors; or
            it holds several networks, or none under the key.
        FileNotFoundError: There is no such file.
        IsADirectoryError: The path is a folder.
    """
    with _opened(path) as file:
        arrays, network = parse_checkpoint(file, key, any_in_dictionary=True)
        return {name: arrays(name, tensor) for name, tensor in network.dictionary.items()}


def read_torch_network(path: str | os.PathLike[str], key: str | None = None) -> StateDict:
    """Read one network under plain torchreid names; see `read_torch_checkpoint`.

    `key` may also name the prefix of the network's names, as one of several in a dictionary.
    """
    with _opened(path) as file:
        arrays, network = parse_checkpoint(file, key)
        try:
            return network.state_dict(arrays)
        except ValueError as error:
            raise RefusedError(str(error)) from None


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file, and raise `CheckpointError` with its path for what is wrong with it."""
    if path_of("path", path).is_dir():
        raise IsADirectoryError(f"A checkpoint is a file. Received the folder: {os.fspath(path)}")
    try:
        with open_regular(path) as file:
            yield file
    except OSError as error:
        error.filename = error.filename or os.fspath(path)  # which a failed read does not name
        raise
    except MemoryError:
        raise CheckpointError(f"{path} holds more than there is memory for.") from None
    except RefusedError as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}.") from None


def parse_checkpoint(
    file: BinaryIO, key: str | None = None, *, any_in_dictionary: bool = False
) -> tuple[Callable[[str, Tensor], np.ndarray], Network]:
    """Find the network in a file; see `find_network`.

    Returns:
        A function that makes the array of a name and tensor, while the file is open, and the
        network.

    Raises:
        RefusedError: The file is not a checkpoint, holds several networks, or none under the key.
            The function raises it too.
    """
    data = _File(file)
    start = data.read(0, min(265, data.size))
    _check_start(start)
    container = _ZipContainer(data) if start[:4] == b"PK\3\4" else _LegacyContainer(data)
    try:
        network = find_network(container.root, key, _is_tensor, any_in_dictionary=any_in_dictionary)
    except ValueError as error:
        raise RefusedError(str(error)) from None
    if network is None:
        root = container.root
        keys = ""
        if type(root) is dict and root:
            shown = ", ".join(map(describe, itertools.islice(root, 8)))
            keys = f" with the keys {shown}, the first of {describe(next(iter(root.values())))}"
        raise RefusedError(f"it holds no dictionary of tensors but {describe(root)}{keys}")
    maker = ArrayMaker(container.content, container.byte_order)

    def make(name: str, tensor: Tensor) -> np.ndarray:
        try:
            return maker.make(tensor)
        except RefusedError as error:
            raise RefusedError(f"in the tensor {describe(name)}, {error}") from None

    return make, network


def _check_start(start: bytes) -> None:
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


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


class _File:
    """A file of which parts are read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)

    def read(self, start: int, size: int) -> bytes:
        """Return bytes of the file, or raise `RefusedError` where it has fewer."""
        content = b""
        if start + size <= self.size:
            self._file.seek(start)
            content = self._file.read(size)
        if len(content) < size:
            raise RefusedError(
                f"it is cut off: it should have {size} bytes at {start}, and has {self.size}"
            )
        return content


class _ZipContainer:
    """The format of PyTorch 1.6 and later: a pickle and one entry a storage."""

    def __init__(self, data: _File) -> None:
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
            order = self._zip.read(f"{self._folder}/byteorder")
            if order not in (b"little", b"big"):
                raise RefusedError(f"the byte order is not known: {describe(order)}")
            self.byte_order = "<" if order == b"little" else ">"
        program = self._zip.read(f"{self._folder}/data.pkl")
        self.root, _ = load_pickle(program, 0, NAMES, StorageTable().load)

    def content(self, storage: Storage) -> bytes:
        """Return the bytes of a storage, or raise `RefusedError`."""
        size = storage.numel * item_size(storage.element)
        return self._zip.read(f"{self._folder}/data/{storage.key}", size)


class _LegacyContainer:
    """The format before 1.6: five pickles, then the storages one after the other."""

    # On any machine, numbers are written with the low byte first.
    byte_order = "<"

    def __init__(self, file: _File) -> None:
        self._file = file
        self._starts: dict[str, int] = {}
        data = file.read(0, min(file.size, MAX_PICKLE))
        magic, position = load_pickle(data, 0, NAMES, _refuse_storage)
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
        numel = int.from_bytes(self._file.read(position, 8), "little")
        start, end = position + 8, position + 8 + numel * item_size(storage.element)
        if numel != storage.numel or end > self._file.size:
            raise RefusedError(
                f"the storage {describe(key)} is cut off or damaged: it needs {end - start} bytes "
                f"({numel} elements by its header, {storage.numel} by its name), and "
                f"{self._file.size - start} are there"
            )
        self._starts[key] = start
        return end

    def content(self, storage: Storage) -> bytes:
        """Return the bytes of a storage, or raise `RefusedError`."""
        if storage.key not in self._starts:
            raise RefusedError(f"the file has no storage {describe(storage.key)}")
        size = storage.numel * item_size(storage.element)
        return self._file.read(self._starts[storage.key], size)


def _refuse_storage(_: object) -> Storage:
    raise RefusedError(
        "it is the data.pkl of an unpacked checkpoint, whose tensors are in the files beside it; "
        "give the checkpoint itself, or pack its folder again with `zip -0 -r model.pth FOLDER`"
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file in an archive, as the directory has it."""

    start: int
    name: bytes
    method: int
    flags: int
    packed: int
    size: int
    crc: int


class _StoredZip:
    """The entries of a zip file without compression.

    Raises:
        RefusedError: The file is damaged, has overlapping or repeated entries, or several disks.
    """

    def __init__(self, data: _File) -> None:
        self._data = data
        self.entries: dict[str, _Entry] = {}
        try:
            directory, count = self._read_directory()
            position = 0
            for _ in range(count):
                position = self._add_entry(directory, position)
        except struct.error:
            raise RefusedError("the zip archive is cut off or damaged") from None
        # Entries that lie over each other would let a small file claim any amount of data.
        total = sum(entry.packed for entry in self.entries.values())
        if total > data.size:
            raise RefusedError(
                f"the entries of the zip archive overlap: {total} bytes in a file of {data.size}"
            )

    def read(self, name: str, size: int | None = None) -> bytes:
        """Return the content of an entry, of a given size or a limited one.

        Raises:
            RefusedError: It is missing, damaged, or of another size.
        """
        if name not in self.entries:
            raise RefusedError(f"the zip archive has no entry {describe(name)}")
        entry = self.entries[name]
        if entry.method != 0 or entry.flags & 1:
            raise RefusedError(
                f"the entry {describe(name)} of the zip archive is compressed or encrypted, which "
                f"PyTorch does not do (pack it again with `zip -0`): method {entry.method}, flags "
                f"{entry.flags}"
            )
        if entry.size > MAX_PICKLE if size is None else entry.size != size:
            raise RefusedError(
                f"the entry {describe(name)} of the zip archive should have "
                f"{f'at most {MAX_PICKLE}' if size is None else size} bytes and has {entry.size}"
            )
        header = self._data.read(entry.start, _LOCAL.size)
        signature, *_, name_size, extra_size = _LOCAL.unpack(header)
        start = entry.start + _LOCAL.size
        is_same = signature == b"PK\3\4" and entry.packed == entry.size
        if not is_same or self._data.read(start, name_size) != entry.name:
            raise RefusedError(f"the entry {describe(name)} of the zip archive is damaged")
        content = self._data.read(start + name_size + extra_size, entry.size)
        crc = zlib.crc32(content)
        if crc != entry.crc:
            raise RefusedError(
                f"the entry {describe(name)} of the zip archive is damaged: its CRC-32 is "
                f"{crc:08x}, the archive says {entry.crc:08x}"
            )
        return content

    def _read_directory(self) -> tuple[bytes, int]:
        """Return the directory of entries, and how many it has."""
        last = min(self._data.size, _END.size + _MAX_COMMENT)
        tail = self._data.read(self._data.size - last, last)
        at = tail.rfind(b"PK\5\6")
        if at < 0:
            raise RefusedError("the zip archive is cut off: it has no directory of its entries")
        _, disk, first_disk, _, count, size, start, _ = _END.unpack_from(tail, at)
        end = self._data.size - last + at
        locator_at = max(0, end - _END_64_LOCATOR.size)
        locator = self._data.read(locator_at, end - locator_at)
        if locator.startswith(b"PK\6\7") and len(locator) == _END_64_LOCATOR.size:
            end = _END_64_LOCATOR.unpack(locator)[2]
            wide = self._data.read(end, min(_END_64.size, max(self._data.size - end, 0)))
            if wide[:4] != b"PK\6\6":
                raise RefusedError("the zip archive has no 64-bit directory where it says")
            fields = _END_64.unpack(wide)
            disk, first_disk, count, size, start = *fields[4:6], *fields[7:10]
        if disk or first_disk:
            raise RefusedError("the zip archive is one of several disks")
        if start + size > end or size > MAX_PICKLE:
            raise RefusedError("the directory of the zip archive lies outside of the file")
        return self._data.read(start, size), count

    def _add_entry(self, directory: bytes, position: int) -> int:
        """Check an entry of the directory and return where the next one begins."""
        fields = _CENTRAL.unpack_from(directory, position)
        signature, flags, method = fields[0], fields[3], fields[4]
        crc, packed, size, name_size, extra_size, comment_size = fields[7:13]
        start = fields[16]
        name_at = position + _CENTRAL.size
        following = name_at + name_size + extra_size + comment_size
        if signature != b"PK\1\2" or following > len(directory):
            raise RefusedError("the directory of the zip archive is damaged")
        encoded = directory[name_at : name_at + name_size]
        name = encoded.decode("utf-8", "replace")
        if name in self.entries:
            raise RefusedError(f"the zip archive has the entry {describe(name)} twice")
        extra = directory[name_at + name_size : name_at + name_size + extra_size]
        size, packed, start = _widen(extra, size, packed, start)
        if start + _LOCAL.size + name_size + packed > self._data.size:
            raise RefusedError(
                f"the entry {describe(name)} of the zip archive claims {packed} bytes at {start} "
                f"of a file of {self._data.size}"
            )
        self.entries[name] = _Entry(start, encoded, method, flags, packed, size, crc)
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
