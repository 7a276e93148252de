import keras
import pytest

import keras_osnet
from keras_osnet.deploy import export_onnx, export_tflite


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    model = keras_osnet.OSNet(
        0.25,
        head="embedding",
        input_shape=(64, 32, 3),
        depths=(1, 1, 1),
        streams=1,
        include_preprocessing=True,
    )
    export_tflite(model, folder / "small.tflite")
    export_onnx(model, folder / "small.onnx")
    return [folder / "small.tflite", folder / "small.onnx"]


def test_a_table(run, files):
    printed = run("benchmark", *files, "--rounds", 1, "--threads", 1).stdout
    lines = [line.split() for line in printed.splitlines()]
    assert [line[:3] for line in lines[2:5]] == [
        ["small.tflite", "litert", "float32"],
        ["small.onnx", "onnxruntime", "float32"],
        ["small.onnx", "openvino", "float32"],
    ]
    assert "Threads: 1." in printed


def test_what_a_file_stores_is_named(run, run_json, tmp_path):
    image = keras.Input((64, 32, 3), name="image")
    maps = keras.layers.Conv2D(8, 5, strides=4)(image)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps))
    export_tflite(model, tmp_path / "half.tflite", quantization="float16")
    (speed,) = run_json("benchmark", tmp_path / "half.tflite", "--rounds", 1)
    assert (speed["precision"], speed["quantization"]) == ("float32", "float16")
    assert "  float16  " in run("benchmark", tmp_path / "half.tflite", "--rounds", 1).stdout


def test_json(run_json, files):
    (speed,) = run_json("benchmark", files[0], "--rounds", 2, "--threads", 2)
    assert speed["file"] == str(files[0])
    assert (speed["engine"], speed["precision"], speed["threads"]) == ("litert", "float32", 2)
    assert speed["megabytes"] == files[0].stat().st_size / 1e6
    for name in ("latency", "throughput"):
        assert 0 < speed[name]["low"] <= speed[name]["median"] <= speed[name]["high"]
        assert speed[name]["repetitions"] >= 6
    assert speed["cold_start"] > 0
    assert speed["peak_memory"] is None or speed["peak_memory"] > 10


def test_nothing_or_too_much_to_measure(run, files):
    for arguments in ((), (files[0], "--weights", "random")):
        error = run("benchmark", *arguments, code=2).stderr
        assert "Name FILES to measure, or a model to export with --weights" in error


def test_options_of_the_other_kind(run, files):
    error = run("benchmark", files[0], "--width", 0.25, code=2).stderr
    assert "--width and --variant are for --weights" in error
    error = run("benchmark", "--weights", "random", "--takes", "pixels", code=2).stderr
    assert "--takes is for exported files" in error


def test_files_that_cannot_be_measured(run, tmp_path):
    run("benchmark", tmp_path / "gone.tflite", code=2)
    (tmp_path / "model.tflite").write_bytes(b"hello")
    error = run("benchmark", tmp_path / "model.tflite", "--takes", "pixels", code=1).stderr
    assert "damaged or of another kind" in error
    (tmp_path / "model.pt").write_bytes(b"hello")
    error = run("benchmark", tmp_path / "model.pt", code=1).stderr
    assert "ends in .tflite, .onnx, .xml" in error


@pytest.mark.extra_large
def test_a_model_is_exported_for_every_engine(run_json, checkpoint):
    speeds = run_json("benchmark", "--weights", checkpoint, "--size", 64, 32, "--rounds", 1)
    assert {(speed["file"].rpartition(".")[2], speed["engine"]) for speed in speeds} == {
        ("tflite", "litert"),
        ("onnx", "onnxruntime"),
        ("onnx", "openvino"),
        ("xml", "openvino"),
    }
