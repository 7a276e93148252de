"""Checks of arguments that several rooms make."""

import operator
from typing import Any


def whole_number(value: Any) -> int | None:
    """Return an integer of Python's or NumPy's as an int, None for anything else."""
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


def positive_integer(name: str, value: Any) -> int:
    """Return `value` as an int if it is a whole number of at least 1, else raise ValueError."""
    check_whole(1, **{name: value})
    return operator.index(value)
