"""What the reader of checkpoints refuses, and values from a file that are safe to handle."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_KEY_LENGTH = 1024
"""A dictionary compares equal keys character by character each time one is stored; two copies of
a key of megabytes, stored over and over through the memo, would take hours."""


class RefusedError(ValueError):
    """A file holds something that no checkpoint needs, or is damaged."""


@dataclass(frozen=True, slots=True)
class Function:
    """What a pickle may call.

    Args:
        name: Its full name, for messages.
        call: Takes the tuple of arguments that the pickle gives, which may hold anything, and
            returns the result or raises `RefusedError`.
    """

    name: str
    call: Callable[[tuple[Any, ...]], object]


@dataclass(frozen=True, slots=True)
class Inert:
    """Stands for a value that a checkpoint may hold and nobody reads, such as a NumPy scalar."""

    name: str


def describe(value: object) -> str:
    """Name a value from a file in a few words.

    Never the `repr` of a container: lists that hold each other twice over many levels have one of
    exponential length.

    Args:
        value: Anything that the machine can build.

    Returns:
        At most about 80 characters.
    """
    if isinstance(value, str | bytes):
        return repr(value[:60]) + ("..." if len(value) > 60 else "")
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    if value is None or isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Inert | Function):
        return value.name[:80]
    return f"a {type(value).__name__}"


def check_key(key: object) -> str | int:
    """Check that a value may be a key of a dictionary.

    Strings and 64-bit integers are what checkpoints use. For floats, tuples and longer integers
    anyone can compute thousands that hash alike, and a tuple of tuples takes exponential time to
    hash when it holds each part twice.

    Args:
        key: The value.

    Returns:
        The same value.

    Raises:
        RefusedError: If it may not.
    """
    if isinstance(key, str) and len(key) <= MAX_KEY_LENGTH:
        return key
    if isinstance(key, int) and key.bit_length() <= 64:
        return key
    raise RefusedError(
        f"a key must be an integer of 64 bits or text of at most {MAX_KEY_LENGTH} characters. "
        f"Received: {describe(key)}"
    )
