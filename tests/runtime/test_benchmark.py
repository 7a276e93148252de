import sys

import pytest

from keras_osnet.runtime import benchmark
from keras_osnet.runtime.benchmark import peak_memory

pytestmark = pytest.mark.filterwarnings("ignore:.* holds no digest:UserWarning")


@pytest.mark.large
def test_engines_in_processes_of_their_own(described):
    files = [described("any.tflite"), described("any.onnx")]
    done = []
    speeds = benchmark(files, threads=1, rounds=2, progress=done.append)
    found = [(speed.file, speed.engine) for speed in speeds if speed.precision == "float32"]
    assert found == [(files[0], "litert"), (files[1], "onnxruntime"), (files[1], "openvino")]
    assert done == list(range(1, 2 * len(speeds) + 1))
    for speed in speeds:
        assert 0 < speed.latency.low <= speed.latency.median <= speed.latency.high
        assert 0 < speed.throughput.low <= speed.throughput.median <= speed.throughput.high
        assert min(speed.latency.repetitions, speed.throughput.repetitions) >= 6
        assert speed.cold_start > 0
        assert speed.threads == 1


def test_memory_is_that_of_the_engine_alone(described):
    """This process, with TensorFlow, holds several times as much."""
    here = peak_memory()
    if here is None:
        pytest.skip("memory is not measured on Windows")
    (speed,) = benchmark([described("any.tflite")], rounds=1)
    assert speed.peak_memory < here / 2


def test_what_cannot_be_measured(described, stock, tmp_path):
    with pytest.raises(ValueError, match=r"`files`.*Received: none"):
        benchmark([])
    with pytest.raises(ValueError, match="`rounds`"):
        benchmark([described("any.tflite")], rounds=0)
    with pytest.raises(ValueError, match="`threads`"):
        benchmark([described("any.onnx")], threads=0)
    with pytest.raises(ValueError, match=r"`device` must be one that \.tflite files run on"):
        benchmark([described("any.tflite")], device="cuda")
    with pytest.raises(ValueError, match=r"`device` must be one of auto"):
        benchmark([described("any.tflite")], device="gpu")
    with pytest.raises(FileNotFoundError, match="gone"):
        benchmark([tmp_path / "gone.tflite"])
    with pytest.raises(ValueError, match=r"does not say.*any\.tflite"):
        benchmark([stock["any.tflite"]])
    assert benchmark([stock["any.tflite"]], rounds=1, pixel_range="0-255")[0].threads >= 1


def test_a_process_that_dies(described, monkeypatch):
    module = sys.modules["keras_osnet.runtime.benchmark"]  # the package gives the function
    monkeypatch.setattr(module, "_WORKER", "keras_osnet.no_such_module")
    with pytest.raises(ValueError, match=r"litert cannot be measured.*No module named.*any\.tfl"):
        benchmark([described("any.tflite")])
