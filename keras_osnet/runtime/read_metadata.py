"""Read the metadata of a model's file."""

import os
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from keras_osnet.runtime.metadata import KEY, TFLITE_METADATA, ModelMetadata

FILE_KINDS = (".tflite", ".onnx", ".xml")

_MOST_BYTES = 16 * 1024 * 1024
"""Metadata is a few kilobytes; a hostile ZIP archive could unpack to anything."""

_ONNX_METADATA_FIELD = 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_metadata(path: str | os.PathLike[str]) -> ModelMetadata | None:
    """Read the metadata that `keras_osnet.deploy.export` wrote into a model's file.

    No engine is needed, only the standard library and NumPy. A TFLite file keeps it in a ZIP
    archive appended to the flatbuffer, as TFLite's own metadata does; ONNX in `metadata_props`;
    OpenVINO's IR in `rt_info` of the `.xml`.

    Args:
        path: A `.tflite`, `.onnx` or `.xml` file.

    Returns:
        A `keras_osnet.runtime.metadata.ModelMetadata` with `name`, `dim`, `image_size`,
        `pixel_range`, `dtype`, `batch`, `mean`, `std`, `output_kind`, `l2_normalized`, `labels`,
        `quantization`, `license`, `source` and `library_version`; None if the file has none, such
        as one converted by other means.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is of another kind or damaged, or its metadata is not in the format
            of this version of keras-osnet.

    Example:
        >>> from keras_osnet.runtime import read_metadata
        >>> file = getfixture("tmp_path") / "model.xml"
        >>> _ = file.write_text("<net name='someone' version='11'></net>")
        >>> print(read_metadata(file))
        None
    """
    file = checked_file(path)
    text = {".tflite": _from_zip, ".onnx": _from_protobuf, ".xml": _from_xml}[file.suffix](file)
    if text is None:
        return None
    try:
        return ModelMetadata.from_json(text)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def checked_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a model's file, or raise FileNotFoundError or ValueError."""
    file = Path(path)
    if file.suffix not in FILE_KINDS:
        raise ValueError(
            f"`path` must be a model's file that ends in {', '.join(FILE_KINDS)}. Received: {file}"
        )
    if not file.is_file():
        raise FileNotFoundError(f"There is no such model file. Received: {file}")
    return file


def _from_zip(file: Path) -> str | None:
    if not zipfile.is_zipfile(file):
        return None
    try:
        with zipfile.ZipFile(file) as archive:
            if TFLITE_METADATA not in archive.namelist():
                return None
            size = archive.getinfo(TFLITE_METADATA).file_size
            if size > _MOST_BYTES:
                raise _damaged(file, f"its metadata would be {size} bytes")
            return archive.read(TFLITE_METADATA).decode("utf-8")
    # Broken archives raise errors of many kinds: zlib's, RuntimeError for encrypted ones.
    except (zipfile.BadZipFile, RuntimeError, EOFError, OSError, UnicodeDecodeError) as error:
        raise _damaged(file, str(error)) from error


def _from_xml(file: Path) -> str | None:
    try:
        root = ElementTree.parse(file).getroot()
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        raise _damaged(file, str(error)) from error
    if root.tag != "net":
        raise ValueError(f"The file is not OpenVINO's IR, whose root is <net>. Received: {file}")
    entry = root.find(f"./rt_info/{KEY}")
    return None if entry is None else entry.get("value")


def _from_protobuf(file: Path) -> str | None:
    """Look through a ModelProto's own fields; its graph, which is nearly all of it, is skipped."""
    with file.open("rb") as stream:
        end = file.stat().st_size
        for number, size in _fields(stream, end, file):
            if number != _ONNX_METADATA_FIELD or size > _MOST_BYTES:
                continue
            start = stream.tell()
            entry = {}
            for place, length in _fields(stream, start + size, file):
                entry[place] = stream.read(length)
            if entry.get(1) == KEY.encode():
                try:
                    return entry.get(2, b"").decode("utf-8")
                except UnicodeDecodeError as error:
                    raise _damaged(file, str(error)) from error
    return None


def _fields(stream: BinaryIO, end: int, file: Path) -> Iterator[tuple[int, int]]:
    """Yield number and length of each field up to `end`, the stream standing at its first byte."""
    while stream.tell() < end:
        tag = _varint(stream, file)
        kind = tag & 7
        if kind == _VARINT:
            _varint(stream, file)
            continue
        if kind == _BYTES:
            size = _varint(stream, file)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise _damaged(file, "it is not a protobuf")
        following = stream.tell() + size
        if following > end:
            raise _damaged(file, "it ends in the middle of a field")
        if kind == _BYTES:
            yield tag >> 3, size
        stream.seek(following)


def _varint(stream: BinaryIO, file: Path) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = stream.read(1)
        if not byte:
            raise _damaged(file, "it ends in the middle of a field")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise _damaged(file, "it is not a protobuf")


def _damaged(file: Path, reason: str) -> ValueError:
    return ValueError(f"The model's file is damaged: {reason}. Received: {file}")
