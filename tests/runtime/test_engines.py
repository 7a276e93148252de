import importlib
import os
import sys

import numpy as np
import pytest

from keras_osnet.runtime import Embedder
from keras_osnet.runtime.engines import computes_bfloat16, engines_for, usable_cpus

# The function of the same name hides the module.
open_engine = importlib.import_module("keras_osnet.runtime.engines.open_engine")

pytestmark = pytest.mark.filterwarnings("ignore:.* holds no digest:UserWarning")

KINDS = ["any.tflite", "any.onnx", "any.xml"]


def test_which_engines_take_which_file(stock):
    found = {name: engines_for(stock[name]) for name in KINDS}
    assert found == {
        "any.tflite": ["litert"],
        "any.onnx": ["onnxruntime", "openvino"],
        "any.xml": ["openvino"],
    }


@pytest.mark.parametrize(
    ("name", "engine", "message"),
    [
        ("any.tflite", "openvino", r"takes \.tflite files: litert. Received: 'openvino'"),
        ("any.xml", "onnxruntime", r"takes \.xml files: openvino. Received: 'onnxruntime'"),
        ("any.onnx", "tensorrt", r"`engine` must be one of 'auto', 'litert'.*'tensorrt'"),
        ("any.onnx", None, "Received: None"),
    ],
)
def test_engines_that_do_not_fit(described, name, engine, message):
    with pytest.raises(ValueError, match=message):
        Embedder(described(name), engine)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True])
def test_threads_must_be_a_positive_number(described, threads):
    with pytest.raises(ValueError, match=r"`threads`.*Received: "):
        Embedder(described("any.tflite"), threads=threads)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are counted in /proc")
@pytest.mark.skipif(usable_cpus() < 2, reason="OpenVINO starts no more threads than processors")
@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("any.tflite", "litert"),
        ("any.onnx", "onnxruntime"),
        ("any.onnx", "openvino"),
        ("any.xml", "openvino"),
    ],
)
def test_each_engine_computes_with_as_many_threads_as_asked_for(
    described, fresh_python, name, engine
):
    code = """
import os
import numpy as np
from keras_osnet.runtime import Embedder
image = np.zeros((32, 16, 3), "uint8")
embedder = Embedder(sys.argv[1], sys.argv[2], threads=int(sys.argv[3]))
embedder.embed(image)
print(len(os.listdir("/proc/self/task")))
"""
    path = described(name)
    counts = [int(fresh_python(code, path, engine, threads)) for threads in (1, 2)]
    assert counts[1] - counts[0] == 1


def test_float32_is_float32(described, people, by_keras):
    """OpenVINO would take bfloat16 by itself on some processors."""
    embedder = Embedder(described("any.xml"))
    np.testing.assert_allclose(embedder(people), by_keras(people), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["any.xml", "any.onnx"])
def test_bfloat16_where_the_processor_has_it(described, people, by_keras, name):
    path = described(name)
    if not computes_bfloat16():
        pytest.skip("this processor does not compute in bfloat16")
    embedder = Embedder(path, precision="bfloat16")
    assert embedder.engine == "openvino"
    difference = np.abs(embedder(people) - by_keras(people)).max()
    assert 1e-5 < difference < 0.1


@pytest.mark.parametrize(("name", "engine"), [("any.tflite", "auto"), ("any.onnx", "onnxruntime")])
def test_engines_without_bfloat16_say_so(described, name, engine):
    with pytest.raises(ValueError, match=r"must be float32 with the engine.*Received: 'bfloat16'"):
        Embedder(described(name), engine, precision="bfloat16")


def test_a_processor_without_bfloat16(described, monkeypatch):
    import openvino

    class Core(openvino.Core):
        def get_property(self, *names):
            assert names == ("CPU", "OPTIMIZATION_CAPABILITIES")
            return ["FP32", "INT8"]

    monkeypatch.setattr(openvino, "Core", Core)
    with pytest.raises(ValueError, match=r"only on a processor.*'bfloat16'"):
        Embedder(described("any.xml"), precision="bfloat16")


def test_other_precisions(described):
    with pytest.raises(ValueError, match="`precision` must be one of 'float32', 'bfloat16'"):
        Embedder(described("any.xml"), precision="float16")


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("name", KINDS)
def test_truncated_files(stock, tmp_path, name, share):
    content = stock[name].read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=f"damaged.*Received: .*{name}"):
        Embedder(path, pixel_range="0-255")


def test_a_tflite_file_that_lost_its_metadata(described):
    path = described("any.tflite")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"cut off.*Received: .*any\.tflite"):
        Embedder(path)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("content", [b"", b"hello " * 100, bytes(1000)])
def test_files_that_are_no_models(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"Received: .*{name}"):
        Embedder(path, pixel_range="0-255")


@pytest.mark.parametrize("suffix", [".tflite", ".onnx", ".xml"])
def test_a_model_under_the_name_of_another_kind(stock, tmp_path, suffix):
    others = [stock[name] for name in KINDS if not name.endswith(suffix)]
    for other in others:
        path = tmp_path / f"model{suffix}"
        path.write_bytes(other.read_bytes())
        with pytest.raises(ValueError, match=f"Received: .*model{suffix}"):
            Embedder(path, pixel_range="0-255")


def test_openvino_without_its_weights(described):
    path = described("any.xml")
    weights = path.with_suffix(".bin")
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"damaged.*any\.xml"):
        Embedder(path)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=r"any\.xml without any\.bin"):
        Embedder(path)


@pytest.fixture(scope="module")
def quantized(model, to_tflite, tmp_path_factory, people):
    """The model in int8 by the stock converter, with inputs and outputs of each type."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("quantized")
    for name in ("float32", "uint8", "int8"):
        to_tflite(
            model,
            folder / f"{name}.tflite",
            batch=1,
            optimizations=[tf.lite.Optimize.DEFAULT],
            representative_dataset=lambda: ([image[None]] for image in people.astype("float32")),
            inference_input_type=getattr(tf, name),
            inference_output_type=getattr(tf, name),
        )
    return folder


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
def test_quantized_inputs_and_outputs(quantized, people, by_keras, dtype):
    embedder = Embedder(quantized / f"{dtype}.tflite", pixel_range="0-255")
    assert embedder.metadata.dtype == ("uint8" if dtype == "uint8" else "float32")
    cosines = (embedder(people) * by_keras(people)).sum(axis=1)
    assert cosines.min() > 0.99


def test_threads_are_those_that_the_process_may_use(monkeypatch, tmp_path):
    assert 1 <= usable_cpus() <= os.cpu_count()
    monkeypatch.setattr(open_engine, "_CONTROL_GROUP", tmp_path)  # where nothing is limited
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_cpus() == 64
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(48)), raising=False)
    assert usable_cpus() == 48


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "150000 100000\n"}, 2),  # --cpus=1.5
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "6400000 100000\n"}, 48),
        ({"cpu.max": "max 100000\n"}, 48),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 48),
    ],
)
def test_threads_of_a_container_with_limited_time(monkeypatch, tmp_path, files, expected):
    monkeypatch.setattr(open_engine, "_CONTROL_GROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(48)), raising=False)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_cpus() == expected
