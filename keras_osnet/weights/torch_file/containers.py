"""The two file formats of `torch.save`: where the pickle lies and where the storages lie."""

from mmap import mmap
from typing import Any, Protocol

from keras_osnet.weights.torch_file.allowed_names import NAMES
from keras_osnet.weights.torch_file.objects import Storage, StorageTable, item_size
from keras_osnet.weights.torch_file.pickle_machine import load_pickle
from keras_osnet.weights.torch_file.values import RefusedError, describe
from keras_osnet.weights.torch_file.zip_entries import StoredZip

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


class Container(Protocol):
    """A checkpoint in memory.

    Attributes:
        root: What the pickle describes, with a `Tensor` for each tensor.
        byte_order: `"<"` if numbers in storages have the low byte first, else `">"`.
    """

    root: Any
    byte_order: str

    def content(self, storage: Storage) -> memoryview:
        """Give the bytes of a storage.

        Args:
            storage: The storage, or a part of one.

        Returns:
            The bytes of all of it: `numel` elements.

        Raises:
            RefusedError: If the file lacks them or they are damaged.
        """


def open_container(data: bytes | mmap) -> Container:
    """Read everything but the storages.

    Args:
        data: The whole file, which begins as a zip archive or as a pickle.

    Returns:
        The container.

    Raises:
        RefusedError: If it is not a checkpoint, damaged, or holds what no checkpoint needs.
    """
    return ZipContainer(data) if data[:4] == b"PK\3\4" else LegacyContainer(data)


class ZipContainer:
    """The format of PyTorch 1.6 and later: a pickle and one entry a storage."""

    def __init__(self, data: bytes | mmap) -> None:
        self._zip = StoredZip(data)
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
        """Give the bytes of a storage, as `Container` says."""
        content = self._zip.read(f"{self._folder}/data/{storage.key}")
        size = storage.numel * item_size(storage.element)
        if len(content) != size:
            raise RefusedError(f"its storage should have {size} bytes and has {len(content)}")
        return content


class LegacyContainer:
    """The format before 1.6: five pickles, then the storages one after the other."""

    # On any machine, numbers are written with the low byte first.
    byte_order = "<"

    def __init__(self, data: bytes | mmap) -> None:
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
        """Give the bytes of a storage, as `Container` says."""
        if storage.key not in self._starts:
            raise RefusedError(f"the file has no storage {describe(storage.key)}")
        start = self._starts[storage.key]
        return self._data[start : start + storage.numel * item_size(storage.element)]
