"""TFLite's standard metadata, read with the schema's slots by flatbuffers' own reader."""

import flatbuffers
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from flatbuffers import encode, number_types, packer
from flatbuffers.table import Table

from keras_osnet.deploy.tflite import tflite_bytes, write_metadata
from keras_osnet.deploy.tflite_metadata import NAME, add_tflite_metadata, tflite_metadata
from keras_osnet.runtime import read_metadata
from keras_osnet.runtime.metadata import ModelMetadata

NAMES = ("image", "embedding")


def described(**arguments):
    """The root table of the metadata of a file of 256×128 images."""
    metadata = ModelMetadata(name="osnet", image_size=(256, 128), dim=8, **arguments)
    return root(tflite_metadata(metadata, NAMES))


def root(content):
    assert flatbuffers.util.BufferHasIdentifier(content, 0, b"M001")
    return Table(bytearray(content), encode.Get(packer.uoffset, content, 0))


def place(table, slot):
    """Where a field stands, None if it was left out."""
    offset = table.Offset(4 + 2 * slot)
    return table.Pos + offset if offset else None


def text(table, slot):
    found = place(table, slot)
    return None if found is None else table.String(found).decode()


def number(table, slot, flags=number_types.Uint8Flags):
    found = place(table, slot)
    return 0 if found is None else table.Get(flags, found)


def inner(table, slot):
    return Table(table.Bytes, table.Indirect(place(table, slot)))


def tables(table, slot):
    if place(table, slot) is None:
        return []
    offset = table.Offset(4 + 2 * slot)
    first = table.Vector(offset)
    places = range(first, first + 4 * table.VectorLen(offset), 4)
    return [Table(table.Bytes, table.Indirect(each)) for each in places]


def floats(table, slot):
    offset = table.Offset(4 + 2 * slot)
    return table.GetVectorAsNumpy(number_types.Float32Flags, offset).tolist()


def ends(model):
    """The tables of the only image and the only result."""
    (graph,) = tables(model, 3)
    (image,), (result,) = tables(graph, 2), tables(graph, 3)
    return image, result


def color_space(image):
    return number(inner(inner(image, 3), 1), 0)


@pytest.mark.parametrize(
    ("pixel_range", "dtype", "mean", "std", "lowest", "highest"),
    [
        ("0-255", "uint8", [0], [1], [0], [255]),
        ("0-255", "float32", [0], [1], [0], [255]),
        ("0-1", "float32", [0], [255], [0], [1]),
        ("normalized", "float32", [127.5, 102, 51], [51, 51, 25.5], [-2.5, -2, -2], [2.5, 3, 8]),
    ],
)
def test_image(pixel_range, dtype, mean, std, lowest, highest):
    model = described(
        pixel_range=pixel_range, dtype=dtype, mean=(0.5, 0.4, 0.2), std=(0.2, 0.2, 0.1)
    )
    image, _ = ends(model)
    assert text(image, 0) == "image"
    (unit,) = tables(image, 4)
    assert number(unit, 0) == 1  # NormalizationOptions
    options, stats = inner(unit, 1), inner(image, 5)
    assert floats(options, 0) == pytest.approx(mean)
    assert floats(options, 1) == pytest.approx(std)
    assert floats(stats, 0) == pytest.approx(highest, rel=1e-6)
    assert floats(stats, 1) == pytest.approx(lowest, rel=1e-6)

    content = inner(image, 3)
    assert number(content, 0) == 2  # ImageProperties
    assert color_space(image) == 1  # RGB
    size = inner(inner(content, 1), 1)
    assert [number(size, slot, number_types.Uint32Flags) for slot in (0, 1)] == [128, 256]


@pytest.mark.parametrize("arguments", [{"layout": "NCHW"}, {"channels": "BGR"}])
def test_images_that_the_readers_do_not_give_are_not_called_rgb(arguments):
    image, _ = ends(described(**arguments))
    assert color_space(image) == 0
    assert not tables(image, 4)


def test_origin():
    model = described(license="MIT", source="msmt17_combineall", library_version="1.2.3")
    assert [text(model, slot) for slot in (0, 2, 4, 5)] == [
        *("osnet", "1.2.3", "msmt17_combineall", "MIT")
    ]
    assert "embedding" in text(model, 1)
    nobody = described()
    assert text(nobody, 4) is None
    assert text(nobody, 5) is None


def test_labels():
    _, result = ends(described(output_kind="attribute", labels=tuple("abcdefgh")))
    assert text(result, 0) == "embedding"
    assert number(inner(result, 3), 0) == 1  # FeatureProperties
    (labels,) = tables(result, 6)
    assert (text(labels, 0), number(labels, 2)) == ("labels.txt", 2)  # TENSOR_AXIS_LABELS
    assert not tables(ends(described())[1], 6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="converts in this process")
def test_flatbuffer(tmp_path):
    image = keras.Input((8, 8, 3), batch_size=1, name="image")
    result = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    content = tflite_bytes(keras.Model(image, result), NAMES)
    metadata = ModelMetadata(name="osnet", image_size=(8, 8), dim=4, license="MIT")
    written = add_tflite_metadata(content, metadata, NAMES)

    model = schema.Model.GetRootAs(written)
    entries = [model.Metadata(index) for index in range(model.MetadataLength())]
    buffers = {each.Name().decode(): each.Buffer() for each in entries}
    assert set(buffers) == {NAME, "min_runtime_version", "CONVERSION_METADATA"}
    own = model.Buffers(buffers[NAME]).DataAsNumpy().tobytes()
    assert own == tflite_metadata(metadata, NAMES)

    pixels = np.random.default_rng(0).uniform(size=(1, 8, 8, 3)).astype("float32")
    before, after = (
        Interpreter(model_content=each).get_signature_runner("serving_default")(image=pixels)
        for each in (content, written)
    )
    np.testing.assert_array_equal(after["embedding"], before["embedding"])

    file = tmp_path / "m.tflite"
    file.write_bytes(content)
    write_metadata(file, metadata, NAMES)
    assert file.read_bytes().startswith(written)
    assert read_metadata(file) == metadata  # and its digest holds
    file.write_bytes(file.read_bytes().replace(b"MIT", b"BSD", 1))
    with pytest.raises(ValueError, match="digest"):
        read_metadata(file)
