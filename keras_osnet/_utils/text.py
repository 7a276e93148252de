"""Text that comes from users' files and file names."""

import codecs
import re
from collections.abc import Callable, Iterable

from keras_osnet._utils.warn_user import warn_user

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16's, which it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

SHOWN = 8
"""Names that a message lists, of many."""

_CONTROLS = r"\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""Control characters above 31, those that turn the direction of what follows, and halves of
characters, which stand for the bytes of file names that are not UTF-8."""

UNPRINTABLE = re.compile(rf"[\u200e\u200f{_CONTROLS}]")
"""Characters that a terminal or JSON should not get as they are; those up to 31 are apart."""

_NOT_DRAWN = re.compile(rf"[\x00-\x1f{_CONTROLS}]")


def encoding_of(start: bytes) -> str | None:
    """Return the Unicode encoding of a text file by its first bytes; None if they do not tell."""
    encoding = next((each for mark, each in _MARKS.items() if start.startswith(mark)), None)
    if encoding is None and b"\0" in start[:1024]:
        encoding = "utf-16-be" if start[:1] == b"\0" else "utf-16-le"
    return encoding


def text_encoding(blocks: Callable[[], Iterable[bytes]], name: str) -> str:
    """Return the encoding of a text file: UTF-8 or UTF-16, with or without a mark, or cp1252.

    Args:
        blocks: Called up to three times for the content of the file, in parts of any length.
        name: The file, for the error and for the warning that it is taken for Windows' cp1252.

    Raises:
        ValueError: It is text in none of these.
    """
    encoding = encoding_of(next(iter(blocks()), b""))
    for each in (encoding,) if encoding else ("utf-8", "cp1252"):
        if not _is_text(blocks(), each):
            continue
        if each == "cp1252":
            warn_user(
                f"{name} is not in UTF-8 and is read as cp1252 (Windows): check its letters, first "
                f"in line {_first_line_beyond_ascii(blocks())}, or save it as UTF-8."
            )
        return each
    raise ValueError(f"The file is not text in UTF-8, UTF-16 or cp1252. Received: {name}")


def _is_text(blocks: Iterable[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        if any("\0" in decoder.decode(block) for block in blocks):
            return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _first_line_beyond_ascii(blocks: Iterable[bytes]) -> int:
    line = 1
    for block in blocks:
        end = next((i for i, byte in enumerate(block) if byte > 127), None)
        line += block[:end].count(b"\n")
        if end is not None:
            break
    return line


def decode_text(content: bytes, name: str) -> str:
    """Decode a text file in an encoding of `text_encoding`.

    Args:
        content: Of the file.
        name: The file, for the error and the warning.

    Raises:
        ValueError: It is text in none of these encodings.
    """
    return content.decode(text_encoding(lambda: [content], name))


def shorten(names: Iterable[str], most: int = SHOWN) -> str:
    """Return the first few of the names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def drawable(text: str) -> str:
    """Replace characters that no font has, as names of files may have them, by �."""
    return _NOT_DRAWN.sub("\ufffd", text)
