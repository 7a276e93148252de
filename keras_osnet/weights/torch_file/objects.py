"""Storages and tensors as the pickle of a PyTorch checkpoint describes them: facts, no data."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from keras_osnet.weights.torch_file.values import RefusedError, check_key, describe

MAX_DIMENSIONS = 32
"""As many as an array has in NumPy 1."""

ELEMENTS: Mapping[str, str] = MappingProxyType(
    {
        "float16": "f2",
        "float32": "f4",
        "float64": "f8",
        "bfloat16": "u2",
        "uint8": "u1",
        "uint16": "u2",
        "uint32": "u4",
        "uint64": "u8",
        "int8": "i1",
        "int16": "i2",
        "int32": "i4",
        "int64": "i8",
        "bool": "u1",
        "complex64": "c8",
        "complex128": "c16",
    }
)
"""PyTorch's name of an element type, and NumPy's for what a file holds of it."""


@dataclass(frozen=True, slots=True)
class StorageClass:
    """Stands for a class of storages such as `torch.FloatStorage`.

    Args:
        element: A key of `ELEMENTS`, or None for bytes whose type the tensor states.
    """

    element: str | None


@dataclass(frozen=True, slots=True)
class ElementType:
    """Stands for `torch.float32` and the like.

    Args:
        name: A key of `ELEMENTS`.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the elements of a tensor lie.

    Args:
        key: Its name in the file.
        element: A key of `ELEMENTS`, or None for a storage of bytes.
        numel: Number of elements under that name in the file.
        first: The part that this storage is begins at this element.
        length: Number of elements of that part.
    """

    key: str
    element: str | None
    numel: int
    first: int
    length: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """What a pickle says of a tensor; nothing about it is checked but the types.

    Args:
        storage: Where its elements lie.
        element: A key of `ELEMENTS`.
        offset: Its first element within the storage.
        shape: Its shape, of at most `MAX_DIMENSIONS`.
        strides: Steps in elements, one a dimension.
    """

    storage: Storage
    element: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class StorageTable:
    """The storages that a pickle refers to, by the key that they have in the file."""

    def __init__(self) -> None:
        self.by_key: dict[str, Storage] = {}

    def load(self, persistent_id: object) -> Storage:
        """Turn the persistent id of a storage into a stand-in.

        Args:
            persistent_id: From the pickle:
                `("storage", class, key, device, number of elements)`, in the older format followed
                by None or `(key of the part, first element, number of elements)`.

        Returns:
            The storage or the part.

        Raises:
            RefusedError: If it is anything else, or disagrees with an earlier one of the same key.
        """
        if not (
            isinstance(persistent_id, tuple)
            and len(persistent_id) in (5, 6)
            and persistent_id[0] == "storage"
        ):
            raise RefusedError(
                f"the pickle refers to something other than a storage: {describe(persistent_id)}"
            )
        kind, key, numel = persistent_id[1], persistent_id[2], persistent_id[4]
        if not (isinstance(kind, StorageClass) and isinstance(check_key(key), str)):
            raise RefusedError(
                f"the pickle refers to a storage of {describe(kind)} named {describe(key)}"
            )
        check_counts("the number of elements of a storage", numel)
        whole = Storage(key, kind.element, numel, 0, numel)
        if self.by_key.setdefault(key, whole) != whole:
            raise RefusedError(
                f"the pickle says two things about storage {describe(key)}: "
                f"{_storage_words(self.by_key[key])}, and {_storage_words(whole)}"
            )
        part = persistent_id[5] if len(persistent_id) == 6 else None
        if part is None:
            return self.by_key[key]
        if kind.element is None or not (isinstance(part, tuple) and len(part) == 3):
            raise RefusedError(f"the pickle refers to a part of a storage by {describe(part)}")
        _, first, length = part
        check_counts("the bounds of a part of a storage", first, length)
        if first + length > numel:
            raise RefusedError(
                f"the pickle refers to elements {first} to {first + length} of a storage of {numel}"
            )
        return Storage(key, kind.element, numel, first, length)


def _storage_words(storage: Storage) -> str:
    return f"{storage.numel} x {storage.element or 'untyped byte'}"


def check_counts(what: str, *values: object) -> None:
    """Check that values are integers of 0 or more that fit into 64 bits.

    Args:
        what: What they are, for the message.
        values: The values.

    Raises:
        RefusedError: If one is not.
    """
    for value in values:
        if type(value) is not int or not 0 <= value < 2**63:
            raise RefusedError(f"{what} must be 0 or more. Received: {describe(value)}")


def item_size(element: str | None) -> int:
    """Give the size of an element in a file.

    Args:
        element: A key of `ELEMENTS`, or None for untyped bytes.

    Returns:
        Bytes.
    """
    return 1 if element is None else int(ELEMENTS[element][1:])
