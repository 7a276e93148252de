"""The entries of a zip file that stores them as they are, which is how PyTorch writes one.

The standard library's `zipfile` copies and unpacks; a gigabyte of zeros takes a megabyte there.
Here an entry is a view of the bytes of the file, and nothing is ever unpacked.
"""

import struct
import zlib
from dataclasses import dataclass
from mmap import mmap

from keras_osnet.weights.torch_file.values import RefusedError, describe

_END = struct.Struct("<4s4H2LH")
_END_64_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX_COMMENT = 65535
_IN_EXTRA_FIELD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in the archive.

    Args:
        start: Where its content begins.
        size: Its length in bytes.
        crc: Its CRC-32, as the archive states it.
    """

    start: int
    size: int
    crc: int


class StoredZip:
    """The entries of a zip file without compression.

    Args:
        data: The whole file.

    Raises:
        RefusedError: If it is damaged, has compressed, encrypted, overlapping or repeated entries,
            or several disks.
    """

    def __init__(self, data: bytes | mmap) -> None:
        self._data = data
        self.entries: dict[str, Entry] = {}
        try:
            position, end, count = self._find_directory()
            for _ in range(count):
                position = self._add_entry(position, end)
        except struct.error:
            raise RefusedError("the zip archive is cut off or damaged") from None
        # Entries that lie over each other would let a small file claim any amount of data.
        total = sum(entry.size for entry in self.entries.values())
        if total > len(data):
            raise RefusedError(
                f"the entries of the zip archive overlap: {total} bytes in a file of {len(data)}"
            )

    def read(self, name: str) -> memoryview:
        """Give the content of an entry, without a copy.

        Args:
            name: Its full name.

        Returns:
            Its bytes.

        Raises:
            RefusedError: If there is none of that name, or its checksum is wrong.
        """
        if name not in self.entries:
            raise RefusedError(f"the zip archive has no entry {describe(name)}")
        entry = self.entries[name]
        content = memoryview(self._data)[entry.start : entry.start + entry.size]
        crc = zlib.crc32(content)
        if crc != entry.crc:
            raise RefusedError(
                f"the entry {describe(name)} of the zip archive is damaged: its CRC-32 is "
                f"{crc:08x}, the archive says {entry.crc:08x}"
            )
        return content

    def _find_directory(self) -> tuple[int, int, int]:
        """Return where the directory of entries begins and ends, and how many it has."""
        data = self._data
        at = data.rfind(b"PK\5\6", max(0, len(data) - _END.size - _MAX_COMMENT))
        if at < 0:
            raise RefusedError("the zip archive is cut off: it has no directory of its entries")
        _, disk, first_disk, _, count, size, start, _ = _END.unpack_from(data, at)
        locator = data[max(0, at - _END_64_LOCATOR.size) : at]
        if locator.startswith(b"PK\6\7") and len(locator) == _END_64_LOCATOR.size:
            at = _END_64_LOCATOR.unpack(locator)[2]
            if data[at : at + 4] != b"PK\6\6":
                raise RefusedError("the zip archive has no 64-bit directory where it says")
            fields = _END_64.unpack_from(data, at)
            disk, first_disk, count, size, start = *fields[4:6], *fields[7:10]
        if disk or first_disk:
            raise RefusedError("the zip archive is one of several disks")
        if start + size > at:
            raise RefusedError("the directory of the zip archive lies outside of the file")
        return start, start + size, count

    def _add_entry(self, position: int, end: int) -> int:
        """Check an entry of the directory and return where the next one begins."""
        fields = _CENTRAL.unpack_from(self._data, position)
        signature, flags, method = fields[0], fields[3], fields[4]
        crc, packed, size, name_size, extra_size, comment_size = fields[7:13]
        start = fields[16]
        name_at = position + _CENTRAL.size
        following = name_at + name_size + extra_size + comment_size
        if signature != b"PK\1\2" or following > end:
            raise RefusedError("the directory of the zip archive is damaged")
        encoded = self._data[name_at : name_at + name_size]
        name = encoded.decode("utf-8", "replace")
        if name in self.entries:
            raise RefusedError(f"the zip archive has the entry {describe(name)} twice")
        if method != 0 or flags & 1:
            raise RefusedError(
                f"the entry {describe(name)} of the zip archive is compressed or encrypted, which "
                f"PyTorch does not do: method {method}, flags {flags}"
            )
        extra = self._data[name_at + name_size : name_at + name_size + extra_size]
        size, packed, start = _widen(extra, size, packed, start)
        local = _LOCAL.unpack_from(self._data, min(start, len(self._data)))
        content = start + _LOCAL.size + local[9] + local[10]
        named = self._data[start + _LOCAL.size : start + _LOCAL.size + local[9]]
        if local[0] != b"PK\3\4" or named != encoded or packed != size:
            raise RefusedError(f"the entry {describe(name)} of the zip archive is damaged")
        if content + size > len(self._data):
            raise RefusedError(
                f"the entry {describe(name)} of the zip archive claims {size} bytes at {content} "
                f"of a file of {len(self._data)}"
            )
        self.entries[name] = Entry(content, size, crc)
        return following


def _widen(extra: bytes, *fields: int) -> list[int]:
    """Replace fields that 32 bits cannot hold by those of the extra field of a large file."""
    wide: list[int] = []
    position = 0
    while position + 4 <= len(extra):
        tag, size = struct.unpack_from("<HH", extra, position)
        if tag == 1:
            count = min(size, len(extra) - position - 4) // 8
            wide = list(struct.unpack_from(f"<{count}Q", extra, position + 4))
        position += 4 + size
    if len(wide) < fields.count(_IN_EXTRA_FIELD):
        raise RefusedError("the zip archive lacks the size of a large entry")
    # They come in this order, and only those that are missing.
    missing = iter(wide)
    return [next(missing) if field == _IN_EXTRA_FIELD else field for field in fields]
