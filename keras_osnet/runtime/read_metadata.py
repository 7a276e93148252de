"""Read an exported model's file, its metadata and its digest."""

import hashlib
import io
import os
import xml.parsers.expat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from keras_osnet._utils.checks import path_of
from keras_osnet._utils.file_set import complete, locked
from keras_osnet._utils.files import check_regular, read_bytes
from keras_osnet.runtime.metadata import KEY, NO_DIGEST, TFLITE_METADATA, ModelMetadata

FILE_KINDS = (".tflite", ".onnx", ".xml")

MOST_BYTES = 16 << 20
"""Metadata is a few kilobytes; a hostile ZIP archive could unpack to anything."""

_MOST_XML = 64 << 20

_MOST_MODEL = (2 << 30) - 1
"""Neither flatbuffers nor protobufs may be larger."""

_MARKS = (b"l2_normalized", b"library_version")
"""Words of the metadata: a file that has one of them but no metadata is damaged."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_ONNX_GRAPH, ONNX_METADATA, _GRAPH_INITIALIZER, _TENSOR_EXTERNAL = 7, 14, 5, 13
"""Numbers of protobuf fields: of a ModelProto, its GraphProto and its TensorProtos."""


class ModelFileError(ValueError):
    """A model's file is damaged, incomplete or of another kind; the message names the file."""


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A model's file in memory.

    Attributes:
        path: The file.
        content: All of it.
        weights: Content of the `.bin` beside an `.xml`; None for other files.
        metadata: Its metadata, None if it has none.
        external: Whether the weights of an `.onnx` lie in other files.
    """

    path: Path
    content: bytes
    weights: bytes | None
    metadata: ModelMetadata | None
    external: bool = False

    @property
    def kind(self) -> str:
        """One of `FILE_KINDS`."""
        return self.path.suffix.lower()

    @property
    def sha256(self) -> str:
        """SHA-256 digest of the file as it is on disk, with the `.bin` of an `.xml`; in hex."""
        digest = hashlib.sha256(self.content)
        digest.update(self.weights or b"")
        return digest.hexdigest()

    @property
    def is_verified(self) -> bool:
        """Whether the file holds digests of all its content, which were compared."""
        if self.metadata is None or self.metadata.digest is None:
            return False
        return self.weights is None or self.metadata.weights_digest is not None


def read_metadata(path: str | os.PathLike[str]) -> ModelMetadata | None:
    """Read the metadata that `keras_osnet.deploy.export` wrote into a model's file.

    No engine is needed, only the standard library and NumPy. A TFLite file keeps it in a ZIP
    archive appended to the flatbuffer, as TFLite's own metadata does; ONNX in `metadata_props`;
    OpenVINO's IR in `rt_info` of the `.xml`. It holds the SHA-256 digest of the model, which is
    checked.

    Args:
        path: A `.tflite`, `.onnx` or `.xml` file.

    Returns:
        A `keras_osnet.runtime.metadata.ModelMetadata` with `name`, `dim`, `image_size`,
        `pixel_range`, `dtype`, `batch`, `mean`, `std`, `output_kind`, `l2_normalized`, `labels`,
        `quantization`, `license`, `source`, `library_version` and `digest`; None if the file has
        none, such as one converted by other means.

    Raises:
        FileNotFoundError: There is no such file.
        ModelFileError: The file is damaged, or its metadata is not in the format of this version
            of keras-osnet.
        ValueError: The file is of another kind.

    Example:
        >>> from keras_osnet.runtime import read_metadata
        >>> file = getfixture("tmp_path") / "model.xml"
        >>> _ = file.write_text("<net name='someone' version='11'></net>")
        >>> print(read_metadata(file))
        None
    """
    file = checked_file(path)
    return _settled(file, with_weights=False).metadata


def read_model_file(path: str | os.PathLike[str]) -> ModelFile:
    """Read a model's file, and for an `.xml` its `.bin`, and check their digests.

    Where a process was killed while it replaced the files, its work is completed first.

    Raises:
        FileNotFoundError: There is no such file, or no `.bin` beside an `.xml`.
        ModelFileError: The file is damaged, or its digest is another than in its metadata.
        ValueError: The file is of another kind.
    """
    return _settled(checked_file(path), with_weights=True)


def checked_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a model's file, or raise FileNotFoundError or ValueError."""
    file = path_of("path", path)
    if file.suffix.lower() not in FILE_KINDS:
        raise ValueError(
            f"`path` must be a model's file that ends in {', '.join(FILE_KINDS)}. Received: {file}"
        )
    try:
        complete(file)
    except OSError as error:
        raise ModelFileError(
            f"An export of {file.name} was interrupted, and cannot be completed here: {error}. "
            f"Received: {file}"
        ) from error
    for each in (file, file.with_suffix(".bin"))[: 1 + (file.suffix.lower() == ".xml")]:
        if each.exists() and not each.is_dir():
            check_regular(each)
    if not file.is_file():
        raise FileNotFoundError(f"There is no such model file. Received: {file}")
    return file


def files_of(file: Path) -> tuple[str, ...]:
    """Return the names of the model's files and its report, which `export` writes for a path."""
    weights = (file.with_suffix(".bin").name,) if file.suffix.lower() == ".xml" else ()
    return (file.name, *weights, f"{file.name}.json")


def digest_of(content: bytes, text: str | None = None, digest: str = NO_DIGEST) -> str:
    """Return the SHA-256 digest of a model in which its own digest is replaced by zeros.

    Args:
        content: The file; of a `.tflite`, the flatbuffer.
        text: Of a `.tflite`, the metadata behind it.
        digest: The digest that stands in the content or the text.
    """
    hashed = hashlib.sha256()
    if text is None:
        content = content.replace(digest.encode(), NO_DIGEST.encode())
    hashed.update(content)
    if text is not None:
        hashed.update(text.replace(digest, NO_DIGEST).encode())
    return hashed.hexdigest()


def _settled(file: Path, *, with_weights: bool) -> ModelFile:
    """Read a file, and once more where another process has just replaced one of a pair."""
    try:
        return _read(file, with_weights)
    except ModelFileError:
        with locked(file.parent):
            return _read(file, with_weights)


def _read(file: Path, with_weights: bool) -> ModelFile:
    is_xml = file.suffix.lower() == ".xml"
    content = _content(file, _MOST_XML if is_xml else _MOST_MODEL)
    metadata, external = checked_content(file, content)
    weights = _weights(file) if is_xml and with_weights else None
    wanted = metadata and metadata.weights_digest
    if weights is not None and wanted not in (None, hashlib.sha256(weights).hexdigest()):
        raise ModelFileError(
            f"{file.with_suffix('.bin').name} is not the file that {file.name} was exported with: "
            "one of them was replaced or is damaged. Export both, or copy both, again. "
            f"Received: {file}"
        )
    return ModelFile(file, content, weights, metadata, external)


def checked_content(file: Path, content: bytes) -> tuple[ModelMetadata | None, bool]:
    """Return the metadata in a model's file, and whether weights lie in other files.

    Args:
        file: Its path, whose suffix tells the kind.
        content: All of the file.

    Raises:
        ModelFileError: It is damaged, or its digest is another than in its metadata.
    """
    text, flatbuffer, external = _parsed(file, content)
    metadata = None
    if text is not None:
        try:
            metadata = ModelMetadata.from_json(text)
        except ValueError as error:
            raise ModelFileError(f"{file}: {error}") from error
        digest = metadata.digest
        if digest is not None and digest != (
            digest_of(content, digest=digest)
            if flatbuffer is None
            else digest_of(flatbuffer, text, digest)
        ):
            raise ModelFileError(
                "The model's file is damaged: its SHA-256 digest is not the one that export has "
                f"noted in it. Export it or copy it again. Received: {file}"
            )
    return metadata, external


def _parsed(file: Path, content: bytes) -> tuple[str | None, bytes | None, bool]:
    """Return the metadata as JSON, a `.tflite`'s flatbuffer, and whether weights lie elsewhere."""
    text: str | None
    flatbuffer, external = None, False
    try:
        if file.suffix.lower() == ".tflite":
            text, size = _from_zip(content)
            flatbuffer = content[:size]
        elif file.suffix.lower() == ".onnx":
            text, external = _from_protobuf(content, file.parent)
        else:
            text = _from_xml(content)
        if text is None and any(mark in content for mark in _MARKS):
            raise ModelFileError(
                "The model's file is damaged or was cut off: its metadata cannot be found"
            )
    except ModelFileError as error:
        raise ModelFileError(f"{error}. Received: {file}") from error
    # Broken archives, protobufs and XML raise errors of very many kinds.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelFileError(f"The model's file is damaged: {reason}. Received: {file}") from error
    return text, flatbuffer, external


def _weights(file: Path) -> bytes:
    """Read the `.bin` beside an `.xml`."""
    weights = file.with_suffix(".bin")
    if not weights.is_file():
        raise FileNotFoundError(
            "OpenVINO keeps a model's weights beside it, and they are not there. "
            f"Received: {file} without {weights.name}"
        )
    return _content(weights, _MOST_MODEL)


def _content(file: Path, limit: int) -> bytes:
    try:
        size = file.stat().st_size
        if size > limit:
            raise ModelFileError(
                f"The model's file is larger than {limit:,} bytes, which no model of its kind is. "
                f"Received: {file} of {size:,} bytes"
            )
        return read_bytes(file, limit)
    except MemoryError as error:
        raise ModelFileError(
            f"There is not enough memory to read the model. Received: {file} of {size:,} bytes"
        ) from error


def _from_zip(content: bytes) -> tuple[str | None, int]:
    """Return the metadata behind a flatbuffer, and the size of the flatbuffer."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return None, len(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if TFLITE_METADATA not in archive.namelist():
            return None, len(content)
        entry = archive.getinfo(TFLITE_METADATA)
        # Others are unpacked whole whatever the size that is asked for.
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ModelFileError("The model's file is damaged: its metadata is packed in a new way")
        with archive.open(entry) as stream:
            text = stream.read(MOST_BYTES + 1)  # the size that the archive names may be false
        if len(text) > MOST_BYTES:
            raise ModelFileError(
                f"The model's file is damaged: its metadata is more than {MOST_BYTES} bytes"
            )
        return text.decode("utf-8"), min(each.header_offset for each in archive.infolist())


def _from_xml(content: bytes) -> str | None:
    """Return the metadata in OpenVINO's IR, without building a tree of it."""
    places: list[str] = []
    found: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        places.append(tag)
        if places[0] != "net":
            raise ModelFileError("The file is not OpenVINO's IR, whose root is <net>")
        if places == ["net", "rt_info", KEY] and "value" in attributes:
            found.append(attributes["value"])

    def end(_: str) -> None:
        places.pop()

    def doctype(*_: object) -> None:
        raise ModelFileError("The model's file is damaged: it defines entities, which IR has not")

    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = doctype
    parser.Parse(content, True)
    if found and len(found[0]) > MOST_BYTES:
        raise ModelFileError(
            f"The model's file is damaged: its metadata is more than {MOST_BYTES} bytes"
        )
    return found[0] if found else None


def _from_protobuf(content: bytes, folder: Path) -> tuple[str | None, bool]:
    """Return the metadata of a ModelProto, and whether weights lie in other files."""
    stream = io.BytesIO(content)
    text = None
    external = False
    for number, size in protobuf_fields(stream, len(content)):
        start = stream.tell()
        if number == _ONNX_GRAPH:
            external = _has_external_weights(stream, start + size, folder)
        elif number == ONNX_METADATA and size <= MOST_BYTES and text is None:
            entry = _entries(stream, start + size)
            if entry.get(1) == KEY.encode():
                text = entry.get(2, b"").decode("utf-8")
    return text, external


def _has_external_weights(stream: BinaryIO, end: int, folder: Path) -> bool:
    """Return whether tensors lie in other files, which must be regular and in the same folder."""
    found = False
    for number, size in protobuf_fields(stream, end):
        if number != _GRAPH_INITIALIZER:
            continue
        for part, length in protobuf_fields(stream, stream.tell() + size):
            if part != _TENSOR_EXTERNAL:
                continue
            entry = _entries(stream, stream.tell() + length)
            if entry.get(1) != b"location":
                continue
            name = entry.get(2, b"").decode("utf-8")
            other = folder / name
            if Path(name).name != name or other.is_symlink():
                raise ModelFileError(f"The model's weights must lie beside it, not in {name!r}")
            check_regular(other)
            found = True
    return found


def _entries(stream: BinaryIO, end: int) -> dict[int, bytes]:
    """Return the fields of a message of texts by number."""
    return {number: stream.read(size) for number, size in protobuf_fields(stream, end)}


def protobuf_fields(stream: BinaryIO, end: int) -> Iterator[tuple[int, int]]:
    """Yield number and length of each field up to `end`, the stream standing at its first byte."""
    while stream.tell() < end:
        tag = _varint(stream)
        kind = tag & 7
        if kind == _VARINT:
            _varint(stream)
            continue
        if kind == _BYTES:
            size = _varint(stream)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ModelFileError("The model's file is damaged: it is not a protobuf")
        following = stream.tell() + size
        if following > end:
            raise ModelFileError("The model's file is damaged: it ends in the middle of a field")
        if kind == _BYTES:
            yield tag >> 3, size
        stream.seek(following)


def _varint(stream: BinaryIO) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = stream.read(1)
        if not byte:
            raise ModelFileError("The model's file is damaged: it ends in the middle of a field")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ModelFileError("The model's file is damaged: it is not a protobuf")
