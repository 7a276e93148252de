"""Checks that the layers' constructors and `build` methods share."""

from collections.abc import Sequence
from typing import Any


def one_of(name: str, value: Any, choices: Sequence[Any]) -> Any:
    """Return `value` if it is among `choices`, else raise ValueError."""
    if not any(value is choice or value == choice for choice in choices):
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"`{name}` must be one of {listed}. Received: {value!r}")
    return value


def map_channels(layer: str, shape: Sequence[int | None]) -> int:
    """Return the channels of a (batch, height, width, channels) shape, else raise ValueError."""
    if len(shape) != 4 or shape[-1] is None:
        raise ValueError(
            f"{layer} takes maps of shape (batch, height, width, channels) "
            f"with known channels. Received: shape {tuple(shape)}"
        )
    return shape[-1]
