import keras
import pytest

import keras_osnet
from keras_osnet.deploy import export


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
    export(model, folder / "small.tflite")
    export(model, folder / "small.onnx")
    return [folder / "small.tflite", folder / "small.onnx"]


def given(weights):
    return [each for one in weights for each in ("--weights", one)]


@pytest.mark.large
def test_a_table(run, files):
    printed = run("benchmark", *given(files), "--rounds", 1, "--threads", 1).stdout
    lines = [line.split() for line in printed.splitlines()]
    assert [line[:4] for line in lines[2:5]] == [
        ["small.tflite", "litert", "cpu", "float32"],
        ["small.onnx", "onnxruntime", "cpu", "float32"],
        ["small.onnx", "openvino", "cpu", "float32"],
    ]
    assert "Threads: 1." in printed


def test_what_a_file_stores_is_named(run, run_json, tmp_path):
    image = keras.Input((64, 32, 3), name="image")
    maps = keras.layers.Conv2D(8, 5, strides=4)(image)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps))
    export(model, tmp_path / "half.tflite", quantization="float16")
    (speed,) = run_json("benchmark", "--weights", tmp_path / "half.tflite", "--rounds", 1)
    assert (speed["precision"], speed["quantization"]) == ("float32", "float16")
    printed = run("benchmark", "--weights", tmp_path / "half.tflite", "--rounds", 1).stdout
    assert "  float16  " in printed


def test_json(run_json, files):
    (speed,) = run_json("benchmark", "--weights", files[0], "--rounds", 2, "--threads", 2)
    assert speed["file"] == str(files[0])
    assert (speed["engine"], speed["precision"], speed["threads"]) == ("litert", "float32", 2)
    assert speed["megabytes"] == files[0].stat().st_size / 1e6
    for name in ("latency", "throughput"):
        assert 0 < speed[name]["low"] <= speed[name]["median"] <= speed[name]["high"]
        assert speed[name]["repetitions"] >= 6
    assert speed["cold_start"] > 0
    assert speed["peak_memory"] is None or speed["peak_memory"] > 10


def test_nothing_or_too_much_to_measure(run, files):
    assert "Missing option '--weights'" in run("benchmark", code=2).stderr
    for weights in ([files[0], "random"], ["random", "random"]):
        error = run("benchmark", *given(weights), code=2).stderr
        assert "exported files or one model with --weights, not both" in error


def test_options_of_the_other_kind(run, files):
    error = run("benchmark", "--weights", files[0], "--width", 0.25, code=2).stderr
    assert "--width, --variant and --key are for weights" in error
    error = run("benchmark", "--weights", "random", "--pixel-range", "0-255", code=2).stderr
    assert "--pixel-range is for exported files" in error
    error = run("benchmark", "--weights", "random", "--device", "cpu", code=2).stderr
    assert "--device is for exported files" in error


def test_devices(run, run_json, files):
    (speed,) = run_json(
        "benchmark", "--weights", files[1], "--rounds", 1, "--device", "openvino:CPU"
    )
    assert (speed["engine"], speed["device"]) == ("openvino", "cpu")
    error = run("benchmark", "--weights", files[0], "--device", "cuda", code=1).stderr
    assert "--device must be one that .tflite files run on: litert on cpu" in error


def test_files_that_cannot_be_measured(run, tmp_path):
    error = run("benchmark", "--weights", tmp_path / "gone.tflite", code=1).stderr
    assert "There is no such model file" in error
    (tmp_path / "model.tflite").write_bytes(b"hello")
    error = run(
        "benchmark", "--weights", tmp_path / "model.tflite", "--pixel-range", "0-255", code=1
    ).stderr
    assert "damaged or of another kind" in error


@pytest.mark.exhaustive
def test_a_model_is_exported_for_every_engine(run_json, checkpoint):
    speeds = run_json("benchmark", "--weights", checkpoint, "--image-size", 64, 32, "--rounds", 1)
    assert {(speed["file"].rpartition(".")[2], speed["engine"]) for speed in speeds} == {
        ("tflite", "litert"),
        ("onnx", "onnxruntime"),
        ("onnx", "openvino"),
        ("xml", "openvino"),
    }
