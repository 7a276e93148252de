"""TFLite's standard metadata, from which MediaPipe and ML Kit know how to feed a file.

The public schema `metadata_schema.fbs` (file identifier `M001`) defines the tables; the slots below
are its numbers. MediaPipe refuses float32 images without it, because it would not know their range.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_osnet._utils.optional import require
from keras_osnet.runtime.metadata import TFLITE_LABELS, ModelMetadata

NAME = "TFLITE_METADATA"
"""Name of the buffer in a flatbuffer."""

_IDENTIFIER = b"M001"
_PARSER = "1.0.0"
"""First version of the schema; it has all the tables below."""

_PURPOSE = "Exporting to .tflite"

_FEATURE, _IMAGE = np.uint8(1), np.uint8(2)
"""Content of a tensor, in the union ContentProperties."""

_UNKNOWN, _RGB = np.uint8(0), np.uint8(1)
"""Color spaces; the schema knows no BGR."""

_NORMALIZATION = np.uint8(1)
"""In the union ProcessUnitOptions."""

_AXIS_LABELS = np.uint8(2)
"""Type of an associated file: one line for each number of the last axis."""


def add_tflite_metadata(content: bytes, metadata: ModelMetadata, names: tuple[str, str]) -> bytes:
    """Write TFLite's standard metadata into a flatbuffer.

    Args:
        content: The flatbuffer, without an archive behind it.
        metadata: Of the model.
        names: Of the input and the output in the signature.

    Returns:
        A flatbuffer with one more buffer. It is packed again, which changes no tensor.
    """
    tools = require("ai_edge_litert.tools.flatbuffer_utils", _PURPOSE, "deploy")
    model = tools.read_model_from_bytearray(bytearray(content))
    buffer, entry = tools.schema_fb.BufferT(), tools.schema_fb.MetadataT()
    buffer.data = np.frombuffer(tflite_metadata(metadata, names), np.uint8)
    entry.name, entry.buffer = NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or ()), entry]
    return bytes(tools.convert_object_to_bytearray(model))


def tflite_metadata(metadata: ModelMetadata, names: tuple[str, str]) -> bytes:
    """Return the metadata as a flatbuffer of its own.

    Args:
        metadata: Of the model.
        names: Of the input and the output in the signature.
    """
    flatbuffers = require("flatbuffers", _PURPOSE, "deploy")
    subgraph = {2: [_input(metadata, names[0])], 3: [_output(metadata, names[1])]}
    model = {
        0: metadata.name,
        1: _description(metadata),
        2: metadata.library_version,
        3: [subgraph],
        4: metadata.source,
        5: metadata.license,
        7: _PARSER,
    }
    builder = flatbuffers.Builder()
    builder.Finish(_pack(builder, model), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _description(metadata: ModelMetadata) -> str:
    length = ", of length 1" if metadata.l2_normalized else ""
    return (
        f"OSNet: {metadata.output_kind} of a person's image{length}; "
        f"exported by keras-osnet {metadata.library_version}"
    )


def _input(metadata: ModelMetadata, name: str) -> dict[int, Any]:
    """Return the table TensorMetadata of the image.

    Its normalization is the one that the caller applies to pixels of 0–255: (pixel - mean) / std.
    Readers give RGB images with the channels last. A file that takes others is described without a
    normalization and without a color space, which those readers refuse.
    """
    mean, std = _normalization(metadata)
    for_readers = metadata.layout == "NHWC" and metadata.channels == "RGB"
    height, width = metadata.image_size
    size = {0: np.uint32(width), 1: np.uint32(height)} if height and width else None
    image = {0: _RGB if for_readers else _UNKNOWN, 1: size}
    return {
        0: name,
        1: f"Image of one person, {metadata.channels}, {metadata.layout}, "
        f"pixel range {metadata.pixel_range}",
        3: {0: _IMAGE, 1: image},
        4: [{0: _NORMALIZATION, 1: {0: mean, 1: std}}] if for_readers else None,
        5: {0: (np.float32(255) - mean) / std, 1: -mean / std},
    }


def _normalization(metadata: ModelMetadata) -> tuple[Any, Any]:
    """Return mean and standard deviation, of pixels in 0–255, that the caller applies."""
    if metadata.pixel_range == "normalized":
        mean, std = np.array([metadata.mean, metadata.std], np.float32) * np.float32(255)
        return mean, std
    whole = 255 if metadata.pixel_range == "0-1" else 1
    return np.zeros(1, np.float32), np.full(1, whole, np.float32)


def _output(metadata: ModelMetadata, name: str) -> dict[int, Any]:
    """Return the table TensorMetadata of the result."""
    labels = {0: TFLITE_LABELS, 1: "Name of each number", 2: _AXIS_LABELS}
    return {
        0: name,
        1: f"{metadata.output_kind}, {metadata.dim} numbers",
        3: {0: _FEATURE, 1: {}},
        6: [labels] if metadata.labels else None,
    }


def _pack(builder: Any, value: Any) -> int:
    """Write a text, a vector or a table, and return its offset.

    Args:
        builder: Of the flatbuffer.
        value: A text; an array of numbers; a list of tables; or a table, which maps slots to such
            values, to np.uint8 (enumerations, tags of unions), np.uint32 or None (left out).
    """
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, np.ndarray):
        return builder.CreateNumpyVector(value)
    if isinstance(value, Mapping):
        return _pack_table(builder, value)
    offsets = [_pack(builder, each) for each in value]
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _pack_table(builder: Any, table: Mapping[int, Any]) -> int:
    kept = {slot: value for slot, value in table.items() if value is not None}
    # Before the table is begun: a flatbuffer does not nest.
    offsets = {
        slot: _pack(builder, value)
        for slot, value in kept.items()
        if not isinstance(value, np.generic)
    }
    builder.StartObject(max(kept, default=-1) + 1)
    for slot, value in kept.items():
        if isinstance(value, np.uint8):
            builder.PrependUint8Slot(slot, int(value), 0)
        elif isinstance(value, np.uint32):
            builder.PrependUint32Slot(slot, int(value), 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, offsets[slot], 0)
    return builder.EndObject()
