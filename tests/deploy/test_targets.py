"""Files for other software: what is written, and where."""

import json
import sys

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet.deploy import export
from keras_osnet.deploy.targets import targets
from keras_osnet.runtime import Embedder, read_metadata
from keras_osnet.runtime.metadata import ModelMetadata
from keras_osnet.synthetic import synthetic_people

IMAGES = synthetic_people(4, views=1, image_size=(64, 32)).images

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a process each under other backends"
)


def small(**arguments):
    keras.utils.set_random_seed(1)
    arguments = {"head": "embedding", "input_shape": (64, 32, 3), **arguments}
    return keras_osnet.OSNet(0.25, depths=(1, 1, 1), streams=1, **arguments)


@pytest.fixture(scope="module")
def model():
    return small()


def names_in(folder):
    return sorted(
        each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()
    )


WRITTEN = {
    "boxmot": ["osnet_x0_25.onnx", "osnet_x0_25.onnx.json", "osnet_x0_25.onnx.metadata.json"],
    "ultralytics": ["osnet_x0_25.onnx", "osnet_x0_25.onnx.json"],
    "deepstream": ["osnet_x0_25.onnx", "osnet_x0_25.onnx.json", "osnet_x0_25.reid.yml"],
    "mediapipe": ["osnet_x0_25.tflite", "osnet_x0_25.tflite.json"],
    "opencv": ["osnet_x0_25.onnx", "osnet_x0_25.onnx.json"],
    "triton": [
        "osnet_x0_25/1/model.onnx",
        "osnet_x0_25/1/model.onnx.json",
        "osnet_x0_25/config.pbtxt",
    ],
    "openvino-zoo": ["osnet_x0_25.bin", "osnet_x0_25.xml", "osnet_x0_25.xml.json"],
}


def test_every_target_is_tested():
    assert list(targets()) == list(WRITTEN)


@pytest.mark.large
@pytest.mark.parametrize("target", WRITTEN)
def test_files_and_vectors(model, target, tmp_path):
    folder = tmp_path / "new" / "folder"
    report = export(model, folder, target=target, images=IMAGES)
    assert names_in(folder) == WRITTEN[target]
    assert report.cosine_min > 0.99999
    file = next(each for each in folder.rglob("*") if each.suffix in (".onnx", ".tflite", ".xml"))
    metadata, record = read_metadata(file), targets()[target]
    for name in ("layout", "pixel_range", "dtype", "channels"):
        assert getattr(metadata, name) == getattr(record, name)
    assert metadata.batch == (record.batch or None)
    expected = model.predict(keras_osnet.preprocess_input(IMAGES), verbose=0)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(Embedder(file).embed(IMAGES), expected, atol=2e-6)


def test_a_sidecar_describes_the_file(model, tmp_path):
    export(model, tmp_path / "boxmot", target="boxmot", images=IMAGES)
    facts = json.loads((tmp_path / "boxmot" / "osnet_x0_25.onnx.metadata.json").read_text())
    assert facts["model_name"] == "osnet_x0_25"
    written = targets()["triton"].sidecars_of(
        tmp_path / "osnet_x0_25" / "1" / "model.onnx",
        read_metadata(tmp_path / "boxmot" / "osnet_x0_25.onnx"),
    )
    ((path, text),) = written.items()
    assert path == tmp_path / "osnet_x0_25" / "config.pbtxt"
    assert "dims: [ 64, 32, 3 ]" in text
    assert "dims: [ 512 ]" in text
    assert "$" not in text


@pytest.mark.parametrize("target", WRITTEN)
def test_sidecars_in_the_folder_of_the_file_belong_to_it(target, tmp_path):
    """Only files that begin with its stem are moved into place together with it."""
    file = targets()[target].file_of(tmp_path, "people")
    for path in targets()[target].sidecar_paths(file):
        assert path.parent != file.parent or path.name.startswith(f"{file.stem}.")


def test_a_sidecar_quotes_the_name_of_the_file(tmp_path):
    file = tmp_path / 'my "old" people.onnx'
    metadata = ModelMetadata(name="people", dim=8, image_size=(64, 32))
    (text,) = targets()["deepstream"].sidecars_of(file, metadata).values()
    line = next(each for each in text.splitlines() if "onnxFile" in each)
    assert json.loads(line.partition(": ")[2]) == file.name


def test_nothing_is_written_where_a_sidecar_is_a_folder(model, tmp_path):
    (tmp_path / "m.onnx.metadata.json").mkdir()
    (tmp_path / "osnet_x0_25" / "config.pbtxt").mkdir(parents=True)
    for target, path in (("boxmot", tmp_path / "m.onnx"), ("triton", tmp_path)):
        with pytest.raises(ValueError, match=r"regular file is needed, not a folder.*Received: "):
            export(model, path, target=target, images=IMAGES)
    assert names_in(tmp_path) == []


@pytest.mark.large
def test_a_file_of_another_name_and_format(model, tmp_path):
    export(model, tmp_path / "people.tflite", target="boxmot", images=IMAGES)
    assert names_in(tmp_path) == [
        "people.tflite",
        "people.tflite.json",
        "people.tflite.metadata.json",
    ]
    assert read_metadata(tmp_path / "people.tflite").layout == "NCHW"


@pytest.mark.parametrize(
    ("target", "path", "arguments", "message"),
    [
        ("box", "a", {}, r"`target` must be one of 'boxmot'.*Received: 'box'"),
        (
            "boxmot",
            "a",
            {"dtype": "uint8"},
            r"`dtype` is prescribed by `target=\"boxmot\"`.*dtype=",
        ),
        ("boxmot", "a", {"batch": None}, r"`batch` is prescribed.*Received: batch=None"),
        (
            "ultralytics",
            "a.tflite",
            {},
            r"`path` must be a folder for Ultralytics, or a file ending",
        ),
        ("triton", "a.onnx", {}, r"`path` must be a folder for NVIDIA Triton\. Received"),
        ("opencv", "file/a", {}, r"`path` must not be in or at a file"),
        ("opencv", "file", {}, r"`path` must not be in or at a file"),
        ("opencv", "a", {"quantization": "float16"}, r"`quantization=\"float16\"` is for"),
    ],
)
def test_wrong_arguments_leave_nothing(model, target, path, arguments, message, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / path, target=target, **arguments)
    assert names_in(tmp_path) == ["file"]
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"head": "classification", "classes": 4}, r"`model` must end in an embedding for BoxMOT"),
        ({"input_shape": (None, None, 3)}, r"`model` must take images of one size for BoxMOT"),
        ({"name": "a/b"}, r"`model` must have a name of letters"),
        (
            {"include_preprocessing": True, "mean": (0.5,) * 3, "std": (0.5,) * 3},
            r"normalized by ImageNet's mean and standard deviation, because BoxMOT does that",
        ),
    ],
    ids=str,
)
def test_models_that_the_software_cannot_load(arguments, message, tmp_path):
    network = small(**{name: value for name, value in arguments.items() if name != "name"})
    if "name" in arguments:
        network = keras.Model(network.inputs, network.outputs)
        network.name = arguments["name"]
    with pytest.raises(ValueError, match=message):
        export(network, tmp_path / "new", target="boxmot")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_no_folder(model, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["keras_osnet.deploy.export"], "measure_fidelity", stop)
    (tmp_path / "kept").mkdir()
    with pytest.raises(KeyboardInterrupt):
        export(model, tmp_path / "kept" / "new", target="boxmot", images=IMAGES)
    assert [each.name for each in tmp_path.rglob("*")] == ["kept"]
