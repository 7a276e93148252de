"""Tar files in WebDataset form: images with a JSON file of the same name beside each."""

import json
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from keras_osnet._utils.files import open_regular
from keras_osnet.bulk._arrow import arrow
from keras_osnet.bulk.columns import convert, output_schema
from keras_osnet.bulk.crops import CHUNK, Chunk, Image, Unreadable
from keras_osnet.bulk.selection import Selection, as_text
from keras_osnet.data.images import readable_suffixes

if TYPE_CHECKING:
    import pyarrow as pa

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

_HEAD = 1000
"""Images whose JSON the columns are taken from."""

_LARGEST_IMAGE, _LARGEST_JSON = 256 << 20, 16 << 20

_BLOCK = 512

_DAMAGE = (tarfile.TarError, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)
"""Errors of damaged archives."""

_NOT_TAKEN = ("path", "archive")
"""Entries of the JSON that are no columns: nothing from an archive becomes a path."""

_Wanted = Callable[[str], bool]


class _Row(NamedTuple):
    """An image of an archive.

    Attributes:
        key: The archive's name and the member's.
        image: Content of the member.
        entries: The JSON beside it.
        archive: The archive.
        position: Share of all archives that was read.
    """

    key: str
    image: Image
    entries: Mapping[str, Any]
    archive: Path
    position: float


class TarSource:
    """The images in tar files, with the columns of the JSON beside them.

    A key is the archive's name and the member's: `crops-000.tar/0001.jpg`. The columns are
    `archive`, the file's absolute path, and those of the JSON of the first 1,000 images, without
    `path` and `archive`: nothing from an archive becomes a path. An image whose JSON does not fit
    these columns is unreadable. Members of other kinds are passed over. A damaged archive is read
    up to there; the rest of it is one unreadable input.

    Args:
        files: `.tar` files, perhaps compressed.

    Raises:
        OSError: One cannot be read.
        ValueError: Two have the same name, the archives begin without images, or the JSON of the
            first images does not fit in columns.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        names = [file.name for file in files]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(
                f"Archives must differ in their names, which keys begin with. Received: {twice[0]} "
                "twice"
            )
        self._bytes = max(sum(file.stat().st_size for file in files), 1)
        self.schema = output_schema(self._input_schema(), str(files[0]))

    def chunks(self, selection: Selection) -> Iterator[Chunk]:
        """Yield the selected crops, in the order of the archives."""
        rows = self._rows(lambda key: bool(selection.mask([key])[0]))
        while part := list(islice(rows, CHUNK)):
            yield self._chunk(part)

    def _rows(self, wanted: _Wanted) -> Iterator[_Row]:
        before = 0
        for file in self._files:
            with open_regular(file) as opened:
                for key, image, entries in _archive_rows(file.name, opened, wanted):
                    position = min((before + opened.tell()) / self._bytes, 1.0)
                    yield _Row(key, image, entries, file.absolute(), position)
            before += file.stat().st_size

    def _input_schema(self) -> "pa.Schema":
        pa = arrow()
        rows = [
            row._replace(image=b"") if isinstance(row.image, bytes) else row
            for row in islice(self._rows(lambda _: True), _HEAD)
        ]
        if not any(row.image == b"" for row in rows):
            reasons = {row.image.reason for row in rows if isinstance(row.image, Unreadable)}
            raise ValueError(
                f"There is no image in the archive{': ' * bool(reasons)}{'; '.join(reasons)}. "
                f"Received: {', '.join(map(str, self._files))}"
            )
        values: dict[str, list[Any]] = {}
        for row in rows:
            for name, value in row.entries.items():
                values.setdefault(name, []).append(value)
        fields = [pa.field("archive", pa.string())]
        for name in (each for each in values if each not in _NOT_TAKEN):
            try:
                fields.append(pa.field(name, pa.array(values[name]).type))
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise ValueError(
                    f"The JSON beside the images gives `{name}` values of several types: {error}. "
                    f"Received: {self._files[0]}"
                ) from error
        return pa.schema(fields)

    def _chunk(self, rows: Sequence[_Row]) -> Chunk:
        images = [row.image for row in rows]
        try:
            columns = self._columns(rows)
        except ValueError:  # the JSON of one of them does not fit
            fitting = list(rows)
            for index, row in enumerate(rows):
                try:
                    self._columns([row])
                except ValueError as error:
                    images[index] = Unreadable(str(error))
                    fitting[index] = row._replace(entries={})
            columns = self._columns(fitting)
        keys = [row.key for row in rows]
        return Chunk(keys, images, [None] * len(rows), columns, rows[-1].position)

    def _columns(self, rows: Sequence[_Row]) -> "pa.RecordBatch":
        """Return the columns of some rows, or raise ValueError if the JSON of one does not fit."""
        pa = arrow()
        known = {*self.schema.names, *_NOT_TAKEN, "key"}
        for row in rows:
            if more := row.entries.keys() - known:
                raise ValueError(
                    f"its JSON has `{min(more)}`, which that of the first {_HEAD:,} images, from "
                    "which the columns are taken, has not"
                )
        columns = [pa.array([as_text(str(row.archive)) for row in rows], pa.string())]
        for field in self.schema:
            if field.name == "archive":
                continue
            values = [row.entries.get(field.name) for row in rows]
            try:
                column = pa.array(values, pa.string() if field.name == "time" else field.type)
                columns.append(convert(column, field, "its JSON"))
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise ValueError(f"`{field.name}` of its JSON is no {field.type}") from error
        return pa.record_batch(columns, schema=self.schema)


def _archive_rows(
    archive: str, file: BinaryIO, wanted: _Wanted
) -> Iterator[tuple[str, Image, Mapping[str, Any]]]:
    """Yield key, image and JSON of the wanted images of an archive.

    A sample's members follow each other: their names are equal up to the first dot of the last
    part.
    """
    sample = ""
    images: dict[str, Image] = {}
    entries: Mapping[str, Any] | Unreadable = {}

    def complete() -> Iterator[tuple[str, Image, Mapping[str, Any]]]:
        for key, image in images.items():
            if isinstance(entries, Unreadable):
                yield key, entries, {}
            else:
                yield key, image, entries

    damage = None
    members = _members(file)
    while True:
        try:
            name, size, read = next(members)
        except StopIteration:
            break
        except _DAMAGE as error:
            damage = " ".join(str(error).split()) or type(error).__name__
            break
        folder, slash, last = name.rpartition("/")
        stem, dot, ending = last.partition(".")
        if folder + slash + stem != sample:
            yield from complete()
            sample, images, entries = folder + slash + stem, {}, {}
        key = as_text(f"{archive}/{name}")
        try:
            if dot + ending.rpartition(".")[2].lower() in readable_suffixes():
                if key not in images and wanted(key):
                    images[key] = _content(size, _LARGEST_IMAGE, read)
            elif ending == "json":
                entries = _parsed(_content(size, _LARGEST_JSON, read))
        except _DAMAGE as error:
            damage = " ".join(str(error).split()) or type(error).__name__
            break
    yield from complete()
    if damage is not None and wanted(as_text(archive)):
        place = f"after {sample}" if sample else "at its beginning"
        yield as_text(archive), Unreadable(f"the archive is damaged {place}: {damage}"), {}


def _members(file: BinaryIO) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    """Yield name, size and a function that reads it of each regular file in an archive.

    Raises:
        One of `_DAMAGE`: The archive is damaged or cut off.
    """
    with tarfile.open(fileobj=file, mode="r:*") as archive:
        while (member := archive.next()) is not None:
            if member.isreg():
                yield member.name, member.size, partial(_read, archive, member)
            archive.members = []  # type: ignore[attr-defined]  # which would keep all of them
        # tarfile takes an archive that was cut off between two members for a whole one.
        source: Any = archive.fileobj
        source.seek(archive.offset)
        if source.read(_BLOCK) != bytes(_BLOCK):
            raise tarfile.ReadError("it was cut off")


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = archive.extractfile(member)
    return b"" if opened is None else opened.read()


def _content(size: int, limit: int, read: Callable[[], bytes]) -> Any:
    """Return the content of a member, or that it is too large."""
    if size > limit:
        return Unreadable(f"it is larger than {limit:,} bytes")
    return read()


def _parsed(content: bytes | Unreadable) -> Mapping[str, Any] | Unreadable:
    if isinstance(content, Unreadable):
        return content
    try:
        entries = json.loads(content)
    except (ValueError, RecursionError) as error:
        return Unreadable(f"its JSON is damaged: {error}")
    return entries if isinstance(entries, dict) else Unreadable("its JSON holds no object")
