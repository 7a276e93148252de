"""Replace the metadata inside an exported file; all other bytes stay as they are."""

import dataclasses
import hashlib
import io
import re
import xml.parsers.expat
import zipfile
from collections.abc import Mapping
from typing import Any

from keras_osnet.runtime.metadata import KEY, NO_DIGEST, TFLITE_METADATA, ModelMetadata
from keras_osnet.runtime.read_metadata import (
    MOST_BYTES,
    ONNX_METADATA,
    ModelFile,
    ModelFileError,
    checked_content,
    digest_of,
    protobuf_fields,
)

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date that ZIP knows, so that the same model gives the same bytes."""

_ESCAPES = {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\n": "&#10;"}
"""As OpenVINO writes attributes, so that a replacement can be undone to the byte."""

_VALUE = re.compile(rb"""value\s*=\s*(?:"[^"]*"|'[^']*')""")


def replace_metadata(model: ModelFile, metadata: ModelMetadata) -> bytes:
    """Return the content of a model's file with other metadata, and the digest that goes with it.

    With the metadata that the file had before, the result is what it was before, byte by byte.

    Args:
        model: A file that has metadata.
        metadata: Of the same model; its `digest` is not used.

    Raises:
        ModelFileError: The metadata is stored in another way than keras-osnet does.
    """
    text = dataclasses.replace(metadata, digest=NO_DIGEST).to_json()
    try:
        content = _replaced(model, text)
        is_right = checked_content(model.path, content)[0] == metadata
    # Hostile archives, protobufs and XML raise errors of very many kinds.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise _not_ours(model, f": {reason}") from error
    if not is_right:
        raise _not_ours(model)
    return content


def digest_without_threshold(model: ModelFile) -> str:
    """Return the SHA-256 digest of a file as it would be without its threshold; in hex.

    A threshold changes no embedding: vectors from before and after it was written are comparable.
    """
    metadata = model.metadata
    if metadata is None or metadata.threshold is None:
        return model.sha256
    content = replace_metadata(model, dataclasses.replace(metadata, threshold=None))
    return hashlib.sha256(content + (model.weights or b"")).hexdigest()


def with_archive(flatbuffer: bytes, entries: Mapping[Any, bytes]) -> bytes:
    """Return a flatbuffer with a ZIP archive behind it, as TFLite keeps the files of its metadata.

    Readers of the flatbuffer ignore bytes after it, and readers of ZIP start at the end of a file.

    Args:
        flatbuffer: The model.
        entries: Content of each file, by its name or its entry in another archive.
    """
    stream = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(stream, "a") as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name, _EPOCH) if isinstance(name, str) else name
            archive.writestr(info, content)
    return stream.getvalue()


def _replaced(model: ModelFile, text: str) -> bytes:
    if model.kind == ".tflite":
        return _in_zip(model.content, text)
    replaced = _in_protobuf if model.kind == ".onnx" else _in_xml
    blank = replaced(model.content, text)
    return blank.replace(NO_DIGEST.encode(), digest_of(blank).encode())


def _not_ours(model: ModelFile, problem: str = "") -> ModelFileError:
    return ModelFileError(
        f"The metadata of the model's file is not stored as keras-osnet does{problem}. Export it "
        f"again. Received: {model.path}"
    )


def _in_zip(content: bytes, text: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries: dict[zipfile.ZipInfo | str, bytes] = {}
        left = MOST_BYTES
        for info in archive.infolist():
            # Others are unpacked whole whatever the size that is asked for.
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{info.filename} is packed in a new way")
            with archive.open(info) as stream:
                entries[info] = stream.read(left + 1)  # the size that is named may be false
            left -= len(entries[info])
            if left < 0:
                raise ValueError(f"the archive unpacks to more than {MOST_BYTES} bytes")
        flatbuffer = content[: min(info.header_offset for info in archive.infolist())]
    text = text.replace(NO_DIGEST, digest_of(flatbuffer, text))
    replaced = {
        info: text.encode() if getattr(info, "filename", info) == TFLITE_METADATA else other
        for info, other in entries.items()
    }
    return with_archive(flatbuffer, replaced)


def _in_protobuf(content: bytes, text: str) -> bytes:
    stream = io.BytesIO(content)
    for number, size in protobuf_fields(stream, len(content)):
        begun = stream.tell()
        if number != ONNX_METADATA or content[begun : begun + 2 + len(KEY)] != _field(
            1, KEY.encode()
        ):
            continue
        start = begun - len(_head(ONNX_METADATA, size))
        entry = _field(1, KEY.encode()) + _field(2, text.encode())
        return content[:start] + _field(ONNX_METADATA, entry) + content[begun + size :]
    raise ValueError("it does not begin with its key")


def _field(number: int, value: bytes) -> bytes:
    """Return a protobuf field of bytes."""
    return _head(number, len(value)) + value


def _head(number: int, size: int) -> bytes:
    return _varint(number << 3 | 2) + _varint(size)


def _varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _in_xml(content: bytes, text: str) -> bytes:
    places: list[str] = []
    found: list[int] = []

    def start(tag: str, _: object) -> None:
        places.append(tag)
        if places == ["net", "rt_info", KEY]:
            found.append(parser.CurrentByteIndex)

    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: places.pop()
    parser.Parse(content, True)
    escaped = "".join(_ESCAPES.get(each, each) for each in text)
    place = _VALUE.search(content, found[0])
    if place is None:
        raise ValueError("it is not in UTF-8")
    return content[: place.start()] + f'value="{escaped}"'.encode() + content[place.end() :]
