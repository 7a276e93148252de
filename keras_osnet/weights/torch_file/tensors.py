"""Names that the pickle of a PyTorch checkpoint may use, and the arrays of its tensors.

While a pickle is read, a storage, a tensor and all else that it names are stand-ins: facts without
data, that run nothing. Only at the end are tensors turned into views of the storages.
"""

import math
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from keras_osnet.weights.torch_file.pickle_machine import (
    Function,
    Inert,
    RefusedError,
    check_key,
    describe,
    store,
)

MAX_DIMENSIONS = 32
"""As many as an array has in NumPy 1."""

MAX_REPEATED = 2**22
"""Elements of a tensor that has more than its storage, as `expand()` makes it by strides of 0."""

MAX_BYTES = 2**32
"""Of all storages that are read from a file."""

# PyTorch's name of an element type, NumPy's type of its elements in a file, and PyTorch's class
# of storages, which newer types do not have.
_TYPES = (
    ("float16", "f2", "HalfStorage"),
    ("float32", "f4", "FloatStorage"),
    ("float64", "f8", "DoubleStorage"),
    ("bfloat16", "u2", "BFloat16Storage"),
    ("uint8", "u1", "ByteStorage"),
    ("uint16", "u2", None),
    ("uint32", "u4", None),
    ("uint64", "u8", None),
    ("int8", "i1", "CharStorage"),
    ("int16", "i2", "ShortStorage"),
    ("int32", "i4", "IntStorage"),
    ("int64", "i8", "LongStorage"),
    ("bool", "u1", "BoolStorage"),
    ("complex64", "c8", "ComplexFloatStorage"),
    ("complex128", "c16", "ComplexDoubleStorage"),
)
ELEMENTS: Mapping[str, str] = MappingProxyType({name: kind for name, kind, _ in _TYPES})
STORAGES: Mapping[str, str] = MappingProxyType(
    {name: storage for name, _, storage in _TYPES if storage is not None}
)


@dataclass(frozen=True, slots=True)
class StorageClass:
    """Stands for a class of storages such as `torch.FloatStorage`.

    `element` is a key of `ELEMENTS`, or None for bytes whose type the tensor states.
    """

    element: str | None


@dataclass(frozen=True, slots=True)
class ElementType:
    """Stands for `torch.float32` and the like; `name` is a key of `ELEMENTS`."""

    name: str


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the elements of a tensor lie.

    Attributes:
        key: Its name in the file.
        element: A key of `ELEMENTS`, or None for a storage of bytes.
        numel: Number of elements under that name in the file.
        first: Index of the first element of the part that this storage is.
        length: Number of elements of that part.
    """

    key: str
    element: str | None
    numel: int
    first: int
    length: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """The arguments of a tensor in a pickle; only their types are checked.

    Attributes:
        storage: Where its elements lie.
        element: A key of `ELEMENTS`.
        offset: Its first element within the storage.
        shape: Its shape, of at most `MAX_DIMENSIONS`.
        strides: Steps in elements, one per dimension.
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
        """Turn the persistent id of a storage into the storage, or into a part of it.

        Args:
            persistent_id: `("storage", class, key, device, number of elements)`, in the older
                format followed by None or `(key of the part, first element, number of elements)`.

        Raises:
            RefusedError: It is anything else, or disagrees with an earlier one of the same key.
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
    """Raise `RefusedError` unless all values are integers of 0 or more that fit into 64 bits."""
    for value in values:
        if type(value) is not int or not 0 <= value < 2**63:
            raise RefusedError(f"{what} must be 0 or more. Received: {describe(value)}")


def item_size(element: str | None) -> int:
    """Return the bytes of an element in a file; None is an untyped byte."""
    return 1 if element is None else int(ELEMENTS[element][1:])


def _ordered_dict(arguments: tuple[Any, ...]) -> dict[str | int, Any]:
    if not arguments:
        return {}
    # Python 2 writes the items into the call, as a list of lists of two.
    if len(arguments) != 1 or type(arguments[0]) is not list:
        raise RefusedError(f"the pickle calls OrderedDict with {describe(arguments[0])}")
    result: dict[str | int, Any] = {}
    for item in arguments[0]:
        if not (isinstance(item, list | tuple) and len(item) == 2):
            raise RefusedError(
                f"the pickle calls OrderedDict with an item that is {describe(item)}"
            )
        store(result, *item)
    # The list was made for this call. Emptied, it cannot be given to a million further ones.
    arguments[0].clear()
    return result


def _size(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(arguments) != 1 or not isinstance(arguments[0], tuple):
        raise RefusedError("the pickle calls torch.Size with something other than a tuple")
    return arguments[0]


def _tensor(arguments: tuple[Any, ...], element: str | None = None) -> Tensor:
    storage, offset, shape, strides = arguments
    if not isinstance(storage, Storage):
        raise RefusedError(f"the pickle makes a tensor from {describe(storage)}")
    if not (isinstance(shape, tuple) and isinstance(strides, tuple)):
        raise RefusedError(
            f"the pickle gives a tensor a shape and strides that are {describe(shape)} "
            f"and {describe(strides)}"
        )
    # Before the loops below: a shape of a million numbers could be used a million times.
    if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise RefusedError(
            f"the pickle gives a tensor {len(shape)} dimensions and {len(strides)} strides"
        )
    check_counts("the offset of a tensor", offset)
    check_counts("each dimension of a tensor", *shape)
    check_counts("each stride of a tensor", *strides)
    element = element or storage.element
    if element is None or storage.element not in (None, element):
        raise RefusedError(
            f"the pickle makes a tensor of {element or 'unknown type'} from a storage of "
            f"{storage.element or 'untyped bytes'}"
        )
    return Tensor(storage, element, offset, shape, strides)


def _check_call(name: str, arguments: tuple[Any, ...], least: int, most: int) -> None:
    if not least <= len(arguments) <= most:
        raise RefusedError(f"the pickle calls {name} with {len(arguments)} arguments")


def _check_metadata(arguments: tuple[Any, ...]) -> None:
    # Bits that mark values that are still to be negated or conjugated.
    if any(arguments):
        raise RefusedError("the pickle holds a tensor with a pending negation or conjugation")


def _rebuild_tensor(arguments: tuple[Any, ...]) -> Tensor:
    _check_call("_rebuild_tensor", arguments, 4, 4)
    return _tensor(arguments)


def _rebuild_tensor_v2(arguments: tuple[Any, ...]) -> Tensor:
    # Storage, offset, shape, strides, requires_grad, hooks, and possibly metadata.
    _check_call("_rebuild_tensor_v2", arguments, 6, 7)
    _check_metadata(arguments[6:])
    return _tensor(arguments[:4])


def _rebuild_tensor_v3(arguments: tuple[Any, ...]) -> Tensor | Inert:
    # As version 2, with the element type before the metadata.
    _check_call("_rebuild_tensor_v3", arguments, 7, 8)
    _check_metadata(arguments[7:])
    if isinstance(arguments[6], Function):  # of a type that is only named, such as float8
        return Inert(f"a tensor of {arguments[6].name}")
    if not isinstance(arguments[6], ElementType):
        raise RefusedError(f"the pickle makes a tensor of {describe(arguments[6])}")
    return _tensor(arguments[:4], arguments[6].name)


def _rebuild_parameter(arguments: tuple[Any, ...]) -> Tensor | Inert:
    # Tensor, requires_grad, hooks, and possibly attributes that someone set.
    _check_call("_rebuild_parameter", arguments, 3, 4)
    if not isinstance(arguments[0], Tensor | Inert):
        raise RefusedError(f"the pickle makes a parameter from {describe(arguments[0])}")
    return arguments[0]


def _rebuild_from_type(arguments: tuple[Any, ...]) -> object:
    # One of the functions above, the class of the result, the arguments, and attributes.
    _check_call("_rebuild_from_type_v2", arguments, 4, 4)
    function = arguments[0]
    if type(function) is not Function or function.call not in _REBUILD.values():
        raise RefusedError(f"the pickle makes a tensor by {describe(function)}")
    if type(arguments[2]) is not tuple:
        raise RefusedError(f"the pickle makes a tensor from {describe(arguments[2])}")
    return function.call(arguments[2])


_REBUILD: dict[str, Callable[[tuple[Any, ...]], object]] = {
    "_rebuild_tensor": _rebuild_tensor,
    "_rebuild_tensor_v2": _rebuild_tensor_v2,
    "_rebuild_tensor_v3": _rebuild_tensor_v3,
    "_rebuild_parameter": _rebuild_parameter,
    "_rebuild_parameter_with_state": _rebuild_parameter,
}


def _reconstructor(arguments: tuple[Any, ...]) -> object:
    # The class, its base and the base's state, as protocols 0 and 1 make any object.
    _check_call("_reconstructor", arguments, 3, 3)
    if type(arguments[0]) is not Function:
        raise RefusedError(f"the pickle makes an object of {describe(arguments[0])}")
    return arguments[0].call(())


_OTHER_MODULES = {
    "builtins": "__builtin__",
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
    "pathlib": "pathlib._local",
}


def _makes_inert(name: str) -> Function:
    value = Inert(f"a value made by {name}")
    return Function(name, lambda _: value)


def _names() -> dict[tuple[str, str], object]:
    names: dict[tuple[str, str], object] = {}
    listed = tomllib.loads(Path(__file__).with_name("inert_types.toml").read_text("utf-8"))
    for module, inert in listed["inert"].items():
        for name in inert:
            names[module, name] = _makes_inert(f"{module}.{name}")
            if module in _OTHER_MODULES:
                names[_OTHER_MODULES[module], name] = names[module, name]
    names["torch._tensor", "Tensor"] = names["torch", "Tensor"]
    for old, new in (("long", "int"), ("unicode", "str"), ("xrange", "range")):
        names["__builtin__", old] = names["builtins", new]
    names["torch.storage", "UntypedStorage"] = StorageClass(None)
    names["torch", "UntypedStorage"] = StorageClass(None)
    for element, storage in STORAGES.items():
        names["torch", storage] = StorageClass(element)
    for element in ELEMENTS:
        names["torch", element] = ElementType(element)
    functions: dict[tuple[str, str], Callable[[tuple[Any, ...]], object]] = {
        ("collections", "OrderedDict"): _ordered_dict,
        ("copyreg", "_reconstructor"): _reconstructor,
        ("copy_reg", "_reconstructor"): _reconstructor,
        ("torch", "Size"): _size,
        ("torch._tensor", "_rebuild_from_type_v2"): _rebuild_from_type,
    }
    functions |= {("torch._utils", name): call for name, call in _REBUILD.items()}
    for module, dictionaries in listed["dictionaries"].items():
        functions |= {(module, name): lambda _: {} for name in dictionaries}
    for (module, name), call in functions.items():
        names[module, name] = Function(f"{module}.{name}", call)
    return names


NAMES: Mapping[tuple[str, str], object] = MappingProxyType(_names())
"""Module and name to stand-in, for all that the pickle of a checkpoint may name."""


class ArrayMaker:
    """Makes arrays that view the storages, each of which is converted at most once.

    Args:
        content: Returns the bytes of a storage, all `numel` elements, or raises `RefusedError`.
        byte_order: `"<"` if numbers in storages have the low byte first, else `">"`.
    """

    def __init__(self, content: Callable[[Storage], bytes], byte_order: str) -> None:
        self._content = content
        self._byte_order = byte_order
        self._storages: dict[str, tuple[str, np.ndarray]] = {}
        self._bytes = 0

    def make(self, tensor: Tensor) -> np.ndarray:
        """Return a tensor as a read-only view of its storage, bfloat16 as float32.

        Raises:
            RefusedError: The tensor is larger than its storage or reaches out of it, or the
                storage is missing, damaged, or was already asked for with another element type.
        """
        values = self._storage(tensor.storage, tensor.element)
        if tensor.storage.element is not None:
            first = tensor.storage.first
            values = values[first : first + tensor.storage.length]
        count = math.prod(tensor.shape)
        if count == 0:
            # NumPy's own limit holds for the dimensions that are not 0.
            extent = math.prod(size for size in tensor.shape if size) * values.itemsize
            if extent > sys.maxsize or tensor.offset > values.size:
                raise RefusedError(f"an empty shape is out of bounds: {tensor.shape}")
            return _read_only(np.empty(tensor.shape, values.dtype))
        steps = zip(tensor.shape, tensor.strides, strict=True)
        last = tensor.offset + sum((size - 1) * stride for size, stride in steps)
        if count > max(values.size, MAX_REPEATED) or last >= values.size:
            raise RefusedError(
                f"a tensor of shape {tensor.shape}, strides {tensor.strides} and offset "
                f"{tensor.offset} is asked for from a storage of {values.size} elements"
            )
        # The stride of a dimension of size 1 is never taken and may be anything.
        strides = [
            stride * values.itemsize if size > 1 else 0
            for size, stride in zip(tensor.shape, tensor.strides, strict=True)
        ]
        return np.ndarray(
            tensor.shape, values.dtype, values, tensor.offset * values.itemsize, strides
        )

    def _storage(self, storage: Storage, element: str) -> np.ndarray:
        if storage.key in self._storages:
            earlier, values = self._storages[storage.key]
            if earlier != element:
                raise RefusedError(f"a storage of {earlier} is asked for as {element} as well")
            return values
        self._bytes += storage.numel * item_size(storage.element)
        if self._bytes > MAX_BYTES:
            raise RefusedError(f"the storages have more than {MAX_BYTES} bytes")
        content = self._content(storage)
        if len(content) % item_size(element):
            raise RefusedError(f"its storage has {len(content)} bytes, too many for {element}")
        values = _convert(content, element, self._byte_order)
        self._storages[storage.key] = element, _read_only(values)
        return values


def _convert(content: bytes, element: str, byte_order: str) -> np.ndarray:
    stored = np.dtype(byte_order + ELEMENTS[element])
    # Not `frombuffer`, which refuses empty storages.
    values = np.ndarray(len(content) // stored.itemsize, stored, content)
    values = values.astype(stored.newbyteorder("="), copy=False)
    if element == "bfloat16":
        # The upper half of a float32.
        wide = values.astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)
    # Any byte but 0 is true to PyTorch; NumPy expects 0 and 1.
    return values != 0 if element == "bool" else values


def _read_only(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values
