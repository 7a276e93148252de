"""A pickle machine that can build dictionaries, lists, tuples and scalars, and nothing else.

The standard library's unpickler imports and calls the names in a file. This one has no way to
import: a name is looked up in a table that the caller passes, an opcode in the table below, and
whatever is in neither ends the reading. Time and memory are linear in the size of the pickle.
"""

import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_OPCODES = 1_000_000
"""A checkpoint needs about 40 opcodes a tensor. An opcode may cost 100 bytes of memory, so that
without a limit a file of 100 MB of empty dictionaries would take 10 GB."""

MAX_KEY_LENGTH = 1024
"""A dictionary compares equal keys character by character each time one is stored; two copies of
a key of megabytes, stored over and over through the memo, would take hours."""

_MAX_NAME_LENGTH = 256


class RefusedError(ValueError):
    """A file holds something that no checkpoint needs, or is damaged."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function that a pickle may call.

    Attributes:
        name: Full name, for messages.
        call: Takes the tuple of arguments that the pickle gives, which may hold anything, and
            returns the result or raises `RefusedError`.
    """

    name: str
    call: Callable[[tuple[Any, ...]], object]


@dataclass(frozen=True, slots=True)
class Inert:
    """Stands for a value that a checkpoint may hold and nobody reads, such as a NumPy scalar.

    Whatever a pickle puts into it is dropped.
    """

    name: str


def describe(value: object) -> str:
    """Name a value from a file in at most about 80 characters.

    Never the `repr` of a container: lists that hold each other twice over many levels have one of
    exponential length.
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
    """Return a string or 64-bit integer that may be a key, else raise `RefusedError`."""
    if isinstance(key, str) and len(key) <= MAX_KEY_LENGTH:
        return key
    if isinstance(key, int) and key.bit_length() <= 64:
        return key
    raise RefusedError(
        f"a key must be an integer of 64 bits or text of at most {MAX_KEY_LENGTH} characters. "
        f"Received: {describe(key)}"
    )


def store(target: dict[str | int, Any], key: object, value: object) -> None:
    """Store an item, but drop one whose key is neither text nor an integer of 64 bits.

    Such a key cannot name a tensor. For floats, tuples and long integers anyone can compute
    thousands that hash alike, and a tuple of tuples takes exponential time to hash when it holds
    each part twice.
    """
    if isinstance(key, str) or (isinstance(key, int) and key.bit_length() <= 64):
        target[check_key(key)] = value


def load_pickle(
    data: bytes,
    start: int,
    names: Mapping[tuple[str, str], object],
    persistent_load: Callable[[object], object] | None = None,
) -> tuple[Any, int]:
    """Build the object that a pickle describes.

    Args:
        data: The bytes that hold the pickle.
        start: Position of its first byte.
        names: Stand-ins that a pickle may use, by (module, name). A `Function` may be called.
        persistent_load: Turns a persistent id, which may be anything, into an object. Without it
            such ids are refused.

    Returns:
        The object, and the position behind the pickle.

    Raises:
        RefusedError: The pickle is damaged or holds anything but containers, scalars and the
            entries of `names`.
    """
    machine = _Machine(data, start, names, persistent_load)
    return machine.run(), machine.position


class _Machine:
    def __init__(
        self,
        data: bytes,
        start: int,
        names: Mapping[tuple[str, str], object],
        persistent_load: Callable[[object], object] | None,
    ) -> None:
        self.data = data
        self.position = start
        self.names = names
        self.persistent_load = persistent_load
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(MAX_OPCODES):
            code = self.take(1)[0]
            if code == _STOP:
                return self.pop()
            handler = _HANDLERS.get(code)
            if handler is None:
                raise RefusedError(
                    "the pickle uses an opcode that no checkpoint needs: "
                    f"{_NAMES.get(code, hex(code))}"
                )
            handler(self)
        raise RefusedError(f"the pickle has more than {MAX_OPCODES} opcodes")

    # Reading

    def take(self, count: int) -> bytes:
        left = len(self.data) - self.position
        if count > left:
            raise RefusedError(f"the pickle needs {count} bytes where {left} are left")
        self.position += count
        return self.data[self.position - count : self.position]

    def unsigned(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def line(self) -> str:
        end = self.data.find(b"\n", self.position, self.position + _MAX_NAME_LENGTH)
        if end < 0:
            raise RefusedError("the pickle holds a name without an end")
        text = self.take(end - self.position).decode("utf-8", "replace")
        self.position += 1
        return text

    # The stack

    def push(self, value: object) -> None:
        self.stack.append(value)

    def top(self) -> Any:
        # Items below the last mark belong to a container that is still open.
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise RefusedError("the pickle takes a value from an empty stack")
        return self.stack[-1]

    def pop(self) -> Any:
        value = self.top()
        self.stack.pop()
        return value

    def pop_to_mark(self) -> list[Any]:
        if not self.marks:
            raise RefusedError("the pickle closes a container that it did not open")
        mark = self.marks.pop()
        values = self.stack[mark:]
        del self.stack[mark:]
        return values

    def push_tuple(self, size: int) -> None:
        values = [self.pop() for _ in range(size)]
        self.push(tuple(reversed(values)))

    def pop_or_unmark(self) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.pop()

    # Text

    def push_text(self, size: int) -> None:
        encoded = self.take(size)
        try:
            # As Python writes it: half of a surrogate pair is allowed.
            self.push(encoded.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            raise RefusedError(
                f"the pickle holds text that is not UTF-8: {describe(encoded)}"
            ) from None

    def push_python2_text(self, size: int) -> None:
        # Python 2 had one type for text and bytes; a NumPy scalar from there is not text.
        encoded = self.take(size)
        try:
            self.push(encoded.decode("utf-8"))
        except UnicodeDecodeError:
            self.push(encoded.decode("latin-1"))

    # The memo

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise RefusedError(f"the pickle refers to a value that it never stored: {index}")
        self.push(self.memo[index])

    def put(self, index: int) -> None:
        self.memo[index] = self.top()

    # Containers

    def append(self, values: list[Any]) -> None:
        target = self.top()
        if type(target) is list:
            target.extend(values)
        elif type(target) is not Inert:
            raise RefusedError(f"the pickle appends to {describe(target)}")

    def set_items(self, values: list[Any]) -> None:
        target = self.top()
        if type(target) is Inert:
            return
        if type(target) is not dict:
            raise RefusedError(f"the pickle stores items in {describe(target)}")
        if len(values) % 2:
            raise RefusedError("the pickle stores a key without a value")
        for key, value in zip(values[::2], values[1::2], strict=True):
            store(target, key, value)

    def push_frozen_set(self) -> None:
        self.pop_to_mark()
        self.push(_SET)

    # Names and calls

    def find(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise RefusedError(f"the pickle asks for a name that is {describe(name)}")
        # A look-up by key only: attributes cannot be reached.
        if (module, name) not in self.names:
            raise RefusedError(
                f"the pickle asks for {f'{module[:120]}.{name[:120]}'!r}, "
                "which is not among the names that a checkpoint may use; if you trust the file, "
                "load it with torch and save nothing but the state_dict() of the model"
            )
        self.push(self.names[module, name])

    def find_from_stack(self) -> None:
        name = self.pop()
        self.find(self.pop(), name)

    def reduce(self) -> None:
        arguments = self.pop()
        function = self.pop()
        if type(function) is not Function or type(arguments) is not tuple:
            raise RefusedError(f"the pickle calls {describe(function)}")
        self.push(function.call(arguments))

    def new_with_keywords(self) -> None:
        self.pop()
        self.reduce()

    def build(self) -> None:
        # The attributes of an object: of no use, such as `_metadata` of a state dict.
        self.pop()
        if type(self.top()) not in (dict, Inert):
            raise RefusedError(f"the pickle sets attributes of {describe(self.top())}")

    def load_persistent(self) -> None:
        if self.persistent_load is None:
            raise RefusedError("the pickle refers to a storage where there is none")
        self.push(self.persistent_load(self.pop()))


_STOP = ord(".")
_SET = Inert("a set")

_BY_NAME: dict[str, Callable[[_Machine], object]] = {
    "PROTO": lambda m: m.take(1),
    "FRAME": lambda m: m.take(8),
    "MARK": lambda m: m.marks.append(len(m.stack)),
    "POP": _Machine.pop_or_unmark,
    "POP_MARK": _Machine.pop_to_mark,
    "NONE": lambda m: m.push(None),
    "NEWTRUE": lambda m: m.push(True),
    "NEWFALSE": lambda m: m.push(False),
    "BININT": lambda m: m.push(int.from_bytes(m.take(4), "little", signed=True)),
    "BININT1": lambda m: m.push(m.unsigned(1)),
    "BININT2": lambda m: m.push(m.unsigned(2)),
    "LONG1": lambda m: m.push(int.from_bytes(m.take(m.unsigned(1)), "little", signed=True)),
    "BINFLOAT": lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
    "BINUNICODE": lambda m: m.push_text(m.unsigned(4)),
    "SHORT_BINUNICODE": lambda m: m.push_text(m.unsigned(1)),
    "BINSTRING": lambda m: m.push_python2_text(m.unsigned(4)),
    "SHORT_BINSTRING": lambda m: m.push_python2_text(m.unsigned(1)),
    "BINUNICODE8": lambda m: m.push_text(m.unsigned(8)),
    "BINBYTES": lambda m: m.push(m.take(m.unsigned(4))),
    "BINBYTES8": lambda m: m.push(m.take(m.unsigned(8))),
    "BYTEARRAY8": lambda m: m.push(m.take(m.unsigned(8))),
    "SHORT_BINBYTES": lambda m: m.push(m.take(m.unsigned(1))),
    "EMPTY_TUPLE": lambda m: m.push(()),
    "TUPLE1": lambda m: m.push_tuple(1),
    "TUPLE2": lambda m: m.push_tuple(2),
    "TUPLE3": lambda m: m.push_tuple(3),
    "TUPLE": lambda m: m.push(tuple(m.pop_to_mark())),
    "EMPTY_LIST": lambda m: m.push([]),
    "APPEND": lambda m: m.append([m.pop()]),
    "APPENDS": lambda m: m.append(m.pop_to_mark()),
    "EMPTY_SET": lambda m: m.push(_SET),
    "ADDITEMS": lambda m: m.append(m.pop_to_mark()),
    "FROZENSET": _Machine.push_frozen_set,
    "EMPTY_DICT": lambda m: m.push({}),
    "SETITEM": lambda m: m.set_items([m.pop(), m.pop()][::-1]),
    "SETITEMS": lambda m: m.set_items(m.pop_to_mark()),
    "BINGET": lambda m: m.get(m.unsigned(1)),
    "LONG_BINGET": lambda m: m.get(m.unsigned(4)),
    "BINPUT": lambda m: m.put(m.unsigned(1)),
    "LONG_BINPUT": lambda m: m.put(m.unsigned(4)),
    "MEMOIZE": lambda m: m.put(len(m.memo)),
    "GLOBAL": lambda m: m.find(m.line(), m.line()),
    "STACK_GLOBAL": _Machine.find_from_stack,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "NEWOBJ_EX": _Machine.new_with_keywords,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.load_persistent,
}

_NAMES = {ord(op.code): op.name for op in pickletools.opcodes}
_HANDLERS = {code: _BY_NAME[name] for code, name in _NAMES.items() if name in _BY_NAME}
