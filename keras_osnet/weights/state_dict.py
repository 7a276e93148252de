"""Find an OSNet in what a checkpoint holds: in which dictionary, and under which prefix."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys that the tensors of other networks are looked for under, in the order of preference."""

_STEM = "conv1.conv.weight"
_FIRST_BLOCK = f"conv2.0.{_STEM}"
_INSERTED = re.compile(r"(?<![^.])(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""Parts of names that torch.compile, FSDP and activation checkpointing insert at any place."""

# Limits for what a hostile file can ask for; real checkpoints hold some ten dictionaries.
_MAX_CONTAINERS, _MAX_DEPTH, _MAX_NETWORKS, _MAX_COPIES = 10_000, 8, 100, 4


@dataclass(frozen=True)
class StateDict:
    """Arrays under plain torchreid names.

    Attributes:
        tensors: The arrays.
        place: Keys and prefix that they were found under, joined with dots; empty at the top.
        beside: Names of the other tensors in the same dictionary.
    """

    tensors: Mapping[str, np.ndarray]
    place: str = ""
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Network:
    """A network that was found, before its tensors are made arrays.

    Attributes:
        keys: Keys of its dictionary.
        prefix: Beginning of its names in the dictionary, such as `module.`.
        dictionary: All tensors of the dictionary, under their own names.
    """

    keys: tuple[str, ...]
    prefix: str
    dictionary: Mapping[str, Any]

    @property
    def place(self) -> str:
        """Keys and prefix, joined with dots."""
        return ".".join((*self.keys, *self.prefix.split(".")[:-1]))

    def names(self) -> dict[str, str]:
        """Return the names in the dictionary by the plain names."""
        names, prefix = _cleaned(self.dictionary), self.prefix
        if f"{prefix}{_STEM}" not in names:
            prefix = _INSERTED.sub("", prefix)
        return {
            name.removeprefix(prefix): own for name, own in names.items() if name.startswith(prefix)
        }

    def state_dict(self, make: Callable[[str, Any], np.ndarray]) -> StateDict:
        """Return the network's arrays.

        Args:
            make: Turns a name and a tensor into an array.

        Raises:
            ValueError: An array does not hold numbers.
        """
        names = self.names()
        arrays = {plain: make(name, self.dictionary[name]) for plain, name in names.items()}
        for name, array in arrays.items():
            if array.dtype.kind not in "fiu":
                raise ValueError(f"Tensor {name!r} must hold numbers. Received: {array.dtype}")
        own = set(names.values())
        beside = tuple(name for name in self.dictionary if name not in own)
        return StateDict(arrays, self.place, beside)


def find_network(
    root: object,
    key: str | None,
    is_tensor: Callable[[object], bool],
    *,
    any_in_dictionary: bool = False,
) -> Network | None:
    """Find the OSNet in nested dictionaries, or else the tensors that a script for torch would use.

    Args:
        root: The content of a checkpoint.
        key: Place of the network, or the beginning of it, where there are several.
        is_tensor: Whether a value is a tensor.
        any_in_dictionary: Whether several networks in the same dictionary are no ambiguity.

    Returns:
        The network; None if there are no tensors.

    Raises:
        ValueError: There are several networks, or none under the key.
    """
    dictionaries = list(_dictionaries(root, is_tensor))
    networks = (Network(keys, prefix, d) for keys, d in dictionaries for prefix in _prefixes(d))
    candidates = list(itertools.islice(networks, _MAX_NETWORKS))
    if candidates and key is None:
        found = candidates
    elif candidates:
        found = [each for each in candidates if each.place == key]
        found = found or [each for each in candidates if each.place.startswith(f"{key}.")]
    else:
        candidates = [Network(keys, _data_parallel(d), d) for keys, d in dictionaries]
        by_keys = {".".join(each.keys): each for each in reversed(candidates)}
        order = (*WRAPPERS, "") if key is None else (key,)
        found = [by_keys[keys] for keys in order if keys in by_keys][:1]
        if not found and key is None:
            return None
    if any_in_dictionary:
        found = list({id(each.dictionary): each for each in reversed(found)}.values())[::-1]
    several = len(found) > _MAX_COPIES or any(not _is_same(found[0], each) for each in found[1:])
    if not found or several:
        places = [repr(each.place[:100]) for each in found or candidates]
        shown = ", ".join(places[:10]) + (", …" if len(places) > 10 else "")
        raise ValueError(
            "`key` must name one of the places that hold a network (or the beginning of it): "
            f"{shown or 'there are none'}. Received: key={key!r}"
        )
    return found[0]


def state_dict_of(source: Mapping[str, Any], key: str | None = None) -> StateDict:
    """Return the network in a mapping of names to arrays or torch tensors.

    Raises:
        ValueError: There are several networks or none under the key, or a value is not an array
            of numbers.
    """
    if not isinstance(source, Mapping):
        raise ValueError(
            "`source` must be the path of a file, or a mapping of names to arrays, such as the "
            f"state_dict() of a torch module. Received: {type(source).__name__}"
        )
    network = find_network(source, key, _is_array)
    return StateDict({}) if network is None else network.state_dict(_as_array)


def shown(name: str) -> str:
    """Return the name of a tensor for messages: short, and without control characters."""
    return name if name.isprintable() and len(name) <= 100 else repr(name[:100])


def _is_array(value: object) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _as_array(name: str, value: Any) -> np.ndarray:
    try:
        if hasattr(value, "detach"):  # a torch tensor, maybe one that requires gradients
            value = value.detach().cpu()
            value = value.float() if str(value.dtype) == "torch.bfloat16" else value
        array = np.asarray(value)
    except Exception as error:  # torch has no class for sparse, quantized and meta tensors
        raise ValueError(
            f"Tensor {name!r} cannot be converted to an array: {error}. Received: {value.dtype}"
        ) from error
    if array.dtype.name == "bfloat16":  # a type that is not a number to NumPy itself
        return array.astype("float32")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:  # backends have none so long
        return array.astype("float64")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _dictionaries(
    root: object, is_tensor: Callable[[object], bool]
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield keys and tensors of each dictionary that holds tensors, the outermost first."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), root)]
    seen = {id(root)}
    for keys, container in waiting:  # which grows meanwhile
        if isinstance(container, Mapping):
            items = list(container.items())
            tensors = {
                name: each for name, each in items if isinstance(name, str) and is_tensor(each)
            }
            if tensors:
                yield keys, tensors
        elif isinstance(container, list | tuple):
            items = list(enumerate(container))
        else:
            continue
        for name, value in items if len(keys) < _MAX_DEPTH else ():
            is_container = isinstance(value, Mapping | list | tuple) and not is_tensor(value)
            if is_container and id(value) not in seen and len(waiting) < _MAX_CONTAINERS:
                seen.add(id(value))
                waiting.append(((*keys, str(name)), value))


def _cleaned(dictionary: Mapping[str, Any]) -> dict[str, str]:
    """Return the names in a dictionary by themselves without what torch inserts."""
    cleaned = {_INSERTED.sub("", name): name for name in dictionary}
    return cleaned if len(cleaned) == len(dictionary) else {name: name for name in dictionary}


def _prefixes(dictionary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the prefixes that an OSNet has in a dictionary."""
    names = _cleaned(dictionary)
    for name, own in names.items():
        prefix = name.removesuffix(_STEM)
        is_stem = prefix != name and (not prefix or prefix.endswith("."))
        if is_stem and prefix + _FIRST_BLOCK in names:
            yield own.removesuffix(_STEM) if own.endswith(_STEM) else prefix


def _data_parallel(dictionary: Mapping[str, Any]) -> str:
    return "module." if all(name.startswith("module.") for name in dictionary) else ""


def _is_same(one: Network, other: Network) -> bool:
    """Return whether two networks have the same tensors, as one that is stored under two names."""
    names, others = one.names(), other.names()
    return names.keys() == others.keys() and all(
        _equal(one.dictionary[names[plain]], other.dictionary[others[plain]]) for plain in names
    )


def _equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if _is_array(one):
        return np.array_equal(_as_array("", one), _as_array("", other))
    return bool(one == other)
