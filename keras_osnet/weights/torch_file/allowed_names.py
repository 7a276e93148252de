"""What the pickle of a PyTorch checkpoint may name and call, as stand-ins that run nothing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from keras_osnet.weights.torch_file.objects import (
    ELEMENTS,
    MAX_DIMENSIONS,
    ElementType,
    Storage,
    StorageClass,
    Tensor,
    check_counts,
)
from keras_osnet.weights.torch_file.values import Function, Inert, RefusedError, check_key, describe


def _ordered_dict(arguments: tuple[Any, ...]) -> dict[str | int, Any]:
    if not arguments:
        return {}
    # Python 2 writes the items into the call, as a list of lists of two.
    if len(arguments) != 1 or type(arguments[0]) is not list:
        raise RefusedError(f"the pickle calls OrderedDict with {describe(arguments[0])}")
    result = {}
    for item in arguments[0]:
        if not (isinstance(item, list | tuple) and len(item) == 2):
            raise RefusedError(
                f"the pickle calls OrderedDict with an item that is {describe(item)}"
            )
        result[check_key(item[0])] = item[1]
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
    # Bits that say that the values are still to be negated or conjugated.
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


def _rebuild_tensor_v3(arguments: tuple[Any, ...]) -> Tensor:
    # As version 2, with the element type before the metadata.
    _check_call("_rebuild_tensor_v3", arguments, 7, 8)
    _check_metadata(arguments[7:])
    if not isinstance(arguments[6], ElementType):
        raise RefusedError(f"the pickle makes a tensor of {describe(arguments[6])}")
    return _tensor(arguments[:4], arguments[6].name)


def _rebuild_parameter(arguments: tuple[Any, ...]) -> Tensor:
    # Tensor, requires_grad, hooks, and possibly attributes that someone set.
    _check_call("_rebuild_parameter", arguments, 3, 4)
    if not isinstance(arguments[0], Tensor):
        raise RefusedError(f"the pickle makes a parameter from {describe(arguments[0])}")
    return arguments[0]


def _makes_inert(name: str) -> Function:
    value = Inert(f"a value made by {name}")
    return Function(name, lambda _: value)


def _names() -> dict[tuple[str, str], object]:
    names: dict[tuple[str, str], object] = {
        ("torch.storage", "UntypedStorage"): StorageClass(None),
        ("torch", "UntypedStorage"): StorageClass(None),
    }
    storages = {
        "Half": "float16",
        "Float": "float32",
        "Double": "float64",
        "BFloat16": "bfloat16",
        "Byte": "uint8",
        "Char": "int8",
        "Short": "int16",
        "Int": "int32",
        "Long": "int64",
        "Bool": "bool",
        "ComplexFloat": "complex64",
        "ComplexDouble": "complex128",
    }
    for name, element in storages.items():
        names["torch", f"{name}Storage"] = StorageClass(element)
    for element in ELEMENTS:
        names["torch", element] = ElementType(element)
    functions = {
        ("collections", "OrderedDict"): _ordered_dict,
        ("torch", "Size"): _size,
        ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor_v2,
        ("torch._utils", "_rebuild_tensor_v3"): _rebuild_tensor_v3,
        ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        ("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter,
    }
    for (module, name), call in functions.items():
        names[module, name] = Function(f"{module}.{name}", call)
    # What stands beside the tensors: the best rank-1 accuracy as a NumPy scalar (whose bytes
    # protocol 2 spells as encoded text), the counters of a scheduler.
    for module, name in (
        ("collections", "Counter"),
        ("torch", "device"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "scalar"),
        ("_codecs", "encode"),
    ):
        names[module, name] = _makes_inert(f"{module}.{name}")
    return names


NAMES: Mapping[tuple[str, str], object] = MappingProxyType(_names())
"""Module and name to stand-in, for all that the pickle of a checkpoint may name."""
