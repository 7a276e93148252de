"""Read the metadata of a model's file, and compare it with the engine's view of the file."""

import os
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from keras_osnet._utils.checks import check_image_size
from keras_osnet.runtime.engines.engine import Engine
from keras_osnet.runtime.metadata import KEY, PIXEL_RANGES, TFLITE_METADATA, ModelMetadata

FILE_KINDS = (".tflite", ".onnx", ".xml")

_MOST_BYTES = 16 * 1024 * 1024
"""Metadata is a few kilobytes; a hostile ZIP archive could unpack to anything."""

_DTYPES = ("uint8", "int8", "float16", "float32")
"""Supported types of an image tensor."""

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
        The metadata; None if the file has none, such as one converted by other means.

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


def effective_metadata(
    file: Path, engine: Engine, stored: ModelMetadata | None, pixel_range: str | None
) -> ModelMetadata:
    """Return the metadata to use: that of the file, or else from the caller and the engine.

    Args:
        file: The model's file, for messages.
        engine: The engine with the loaded file.
        stored: The metadata in the file, if there is any.
        pixel_range: "0-255", "0-1", "normalized" or None, as for `Embedder`.

    Raises:
        ValueError: The model does not turn RGB images into embeddings, the metadata is that of
            another model, or the range of the pixels is unknown.
    """
    if pixel_range is not None and pixel_range not in PIXEL_RANGES:
        raise ValueError(
            f"`pixel_range` must be one of {PIXEL_RANGES} or None. Received: {pixel_range!r}"
        )
    _check_tensors(file, engine, stored)
    batch, height, width, _ = engine.input_shape
    if stored is None:
        if pixel_range is None:
            raise ValueError(
                "The file does not say what its input is, because it was not written by "
                'keras-osnet or was cut off; pass pixel_range="0-255" (RGB, such as a model with '
                'include_preprocessing=True takes), pixel_range="0-1" or '
                f'pixel_range="normalized" (by preprocess_input). Received: {file}'
            )
        dim = engine.output_shape[1]
        if dim is None:
            raise ValueError(
                "The model must have embeddings of a fixed length. "
                f"Received: output of shape {engine.output_shape} in {file}"
            )
        whole = engine.input_dtype == "uint8" and pixel_range == "0-255"
        return ModelMetadata(
            name=file.stem,
            dim=dim,
            image_size=(height, width),
            pixel_range=pixel_range,
            dtype="uint8" if whole else "float32",
            batch=batch,
        )
    if pixel_range not in (None, stored.pixel_range):
        raise ValueError(
            "`pixel_range` contradicts the metadata of the file; leave it out. "
            f"Received: {pixel_range!r}, a model with pixel_range={stored.pixel_range!r}"
        )
    agrees = all(
        found in (None, said)
        for found, said in zip(
            (batch, height, width, engine.output_shape[1]),
            (stored.batch, *stored.image_size, stored.dim),
            strict=True,
        )
    )
    if not agrees:
        raise ValueError(
            f"The file's metadata is that of another model: batch {stored.batch}, size "
            f"{stored.image_size}, dim {stored.dim}. Received: input {engine.input_shape}, output "
            f"{engine.output_shape} in {file}"
        )
    return stored


def effective_size(
    metadata: ModelMetadata, image_size: tuple[int, int] | None, file: Path
) -> tuple[int, int]:
    """Return the (height, width) that images are resized to, or raise ValueError."""
    own = metadata.image_size
    if image_size is not None:
        check_image_size(image_size)
    height, width = own if image_size is None else image_size
    if (
        height is None
        or width is None
        or not (own[0] in (None, height) and own[1] in (None, width))
    ):
        raise ValueError(
            "`image_size` must be given for a model that takes images of any size, and agree with "
            f"one that does not. Received: image_size={image_size}, model of images {own} in {file}"
        )
    return height, width


def _check_tensors(file: Path, engine: Engine, stored: ModelMetadata | None) -> None:
    if stored is not None and stored.output_kind != "embedding":
        raise ValueError(
            "The model must give embeddings, and its task is another. "
            f"Received: {stored.output_kind} of {stored.dim} in {file}"
        )
    shape, dtype = engine.input_shape, engine.input_dtype
    if len(shape) != 4 or shape[3] not in (3, None) or dtype not in _DTYPES:
        raise ValueError(
            "The model must take RGB images (batch, height, width, 3), channels last, of "
            f"{', '.join(_DTYPES)}. Received: input of shape {shape} and type {dtype} in {file}"
        )
    if len(engine.output_shape) != 2:
        raise ValueError(
            "The model must give embeddings, one vector (batch, dim) an image. "
            f"Received: output of shape {engine.output_shape} in {file}"
        )


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
