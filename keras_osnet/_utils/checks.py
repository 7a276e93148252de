"""Checks of arguments, shared by all packages."""

import math
import numbers
import operator
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MOST_CHANNELS, LARGEST_KERNEL = 1 << 16, 255
"""Far beyond what anybody builds: larger numbers are mistakes, and would take all memory."""


def whole_number(value: Any) -> int | None:
    """Return a Python or NumPy integer as an int, None for anything else."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def check_whole(least: int, **numbers: Any) -> None:
    """Raise ValueError unless the named numbers are whole and at least `least`.

    Example:
        >>> check_whole(1, epochs=0)
        Traceback (most recent call last):
        ValueError: `epochs` must be a whole number of at least 1. Received: 0
    """
    for name, value in numbers.items():
        number = whole_number(value)
        if number is None or number < least:
            raise ValueError(
                f"`{name}` must be a whole number of at least {least}. Received: {value!r}"
            )


def positive_integer(name: str, value: Any, most: float = math.inf) -> int:
    """Return `value` as an int if it is a whole number from 1 to `most`, else raise ValueError."""
    check_whole(1, **{name: value})
    if value > most:
        raise ValueError(f"`{name}` must be at most {most:,}. Received: {value!r}")
    return operator.index(value)


def number(name: str, value: Any, low: float, high: float = math.inf) -> float:
    """Return `value` as a float if it is a number from `low` to `high`, else raise ValueError."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        result = float(value) if real else math.nan
    except OverflowError:  # a huge integer
        result = math.inf
    if not low <= result <= high or math.isinf(result):
        limits = f"of at least {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
        raise ValueError(f"`{name}` must be a number {limits}. Received: {value!r}")
    return result


def check_dictionary(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is a dictionary or another mapping."""
    if not isinstance(value, Mapping):
        raise ValueError(f"`{name}` must be a dictionary. Received: {type(value).__name__}")


def path_of(name: str, value: Any) -> Path:
    """Return `value` as a path if it is text or a path, else raise ValueError."""
    if isinstance(value, str | os.PathLike) and isinstance(os.fspath(value), str):
        return Path(value)
    raise ValueError(f"`{name}` must be a path. Received: {value!r}")


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with the home folder in place of "~".

    `Path.expanduser` raises a RuntimeError for "~name" of a user who does not exist.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111


def check_image_size(size: Any, name: str = "image_size") -> None:
    """Raise ValueError unless `size` is (height, width), two positive integers."""
    if (
        not isinstance(size, tuple | list)
        or len(size) != 2
        or not all((whole_number(side) or 0) > 0 for side in size)
    ):
        raise ValueError(f"`{name}` must be (height, width), positive integers. Received: {size!r}")


def one_of(name: str, value: Any, choices: Sequence[Any]) -> Any:
    """Return the one of `choices` that `value` equals, else raise ValueError."""
    for choice in choices:
        if _equal(value, choice):
            return choice
    listed = ", ".join(repr(choice) for choice in choices)
    raise ValueError(f"`{name}` must be one of {listed}. Received: {value!r}")


def boolean(name: str, value: Any) -> bool:
    """Return a Python or NumPy bool as a bool, else raise ValueError.

    Anything else is a mistake, such as the text "False" of a configuration, which is true.
    """
    return one_of(name, value, (True, False))


def _equal(value: Any, choice: Any) -> bool:
    """Return whether a value is a choice; an array, which compares by element, is none."""
    if value is choice:
        return True
    is_bool = type(value).__name__ in ("bool", "bool_")  # of Python, or NumPy 2 or 1
    if is_bool != isinstance(choice, bool):
        return False
    if not isinstance(value, str | tuple) and hasattr(value, "__len__"):
        return False
    return bool(value == choice)


def color_shares(name: str, values: Any, least: float = 0.0) -> tuple[float, float, float]:
    """Return three numbers of 0–1, of red, green and blue, or raise ValueError.

    Args:
        name: Of the argument.
        values: A list, tuple or one-dimensional array.
        least: Smallest number, above 0 for a standard deviation.
    """
    listed = isinstance(values, list | tuple) or getattr(values, "ndim", 0) == 1
    given = list(values) if listed else []
    real = [isinstance(each, numbers.Real) and not isinstance(each, bool) for each in given]
    if len(given) != 3 or not all(real) or not all(least <= each <= 1 for each in given):
        above = " above 0" if least else ""
        raise ValueError(
            f"`{name}` must be three numbers{above}, for red, green and blue in 0–1; divide those "
            f"of pixels of 0–255 by 255. Received: {name}={values!r}"
        )
    red, green, blue = map(float, given)
    return red, green, blue


def map_channels(layer: str, shape: Sequence[int | None]) -> int:
    """Return the channels of a (batch, height, width, channels) shape, else raise ValueError."""
    if len(shape) != 4 or shape[-1] is None:
        raise ValueError(
            f"{layer} takes feature maps of shape (batch, height, width, channels) "
            f"with known channels. Received: shape {tuple(shape)}"
        )
    return shape[-1]
