"""The devices that engines compute on. This machine has the CPU alone: others are played."""

import numpy as np
import pytest

from keras_osnet.runtime import Embedder
from keras_osnet.runtime.engines import onnxruntime as ort_engine
from keras_osnet.runtime.engines.device import Device
from keras_osnet.runtime.engines.int8_overflow import onnxruntime_overflows

PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}


class PlayedSession:
    """A session of onnxruntime that computes on the CPU and says that it does not."""

    def __init__(self, session, providers, fails):
        self._session, self._providers, self._fails = session, providers, fails
        self.get_inputs, self.get_outputs = session.get_inputs, session.get_outputs

    def get_providers(self):
        return self._providers

    def run(self, *arguments):
        if self._fails:
            raise RuntimeError("no kernel image is available for execution on the device")
        return self._session.run(*arguments)


@pytest.fixture
def played(monkeypatch):
    """Make onnxruntime list more devices, which work or fail as it does itself.

    Returns a function that takes the devices and how they fail: None, "create" (an error), "fall
    back" (the CPU takes their place without an error) or "run". It returns a list of the providers
    with their options that sessions are asked for.
    """
    import onnxruntime

    onnxruntime_overflows(onnxruntime)  # asked once in a process, of the real onnxruntime
    session_class, asked = onnxruntime.InferenceSession, []

    def play(*kinds, fails=None, nvidia=True):
        names = [PROVIDERS[kind] for kind in kinds]

        def create(content, options, providers, **settings):
            assert settings == {"enable_fallback": 0}
            asked.append(providers)
            wanted = [each if isinstance(each, str) else each[0] for each in providers]
            other = wanted[0] in names
            if other and fails == "create":
                raise RuntimeError("CUDA failure 35: the driver is too old")
            session = session_class(content, options, providers=["CPUExecutionProvider"])
            if other and fails != "fall back":
                assert options.enable_mem_pattern is (wanted[0] != "DmlExecutionProvider")
                return PlayedSession(session, wanted, fails == "run")
            return session

        monkeypatch.setattr(onnxruntime, "InferenceSession", create)
        monkeypatch.setattr(
            onnxruntime, "get_available_providers", lambda: [*names, "CPUExecutionProvider"]
        )
        monkeypatch.setattr(ort_engine, "_has_nvidia_gpu", lambda: nvidia)
        return asked

    return play


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("auto", "auto"),
        ("cpu", "cpu"),
        ("cuda", "cuda:0"),
        ("cuda:1", "cuda:1"),
        ("tensorrt:02", "tensorrt:2"),
        ("coreml", "coreml"),
        ("directml", "directml:0"),
        ("openvino:npu", "openvino:NPU"),
        ("openvino:GPU.1", "openvino:GPU.1"),
    ],
)
def test_names_of_devices(name, shown):
    assert str(Device.parse(name)) == shown


@pytest.mark.parametrize(
    "name",
    [
        *("", "CPU", "gpu", "cpu:0", "cuda:", "cuda:x", "cuda:-1", "coreml:0", "auto:0"),
        *("openvino", "openvino:", "openvino:GPU,CPU", "tpu", None, 0, ["cpu"]),
    ],
)
def test_what_is_no_device(described, name):
    with pytest.raises(ValueError, match=r"`device` must be one of auto, cpu.*Received: "):
        Embedder(described("any.onnx"), device=name)


@pytest.mark.parametrize("device", ["auto", "cpu"])
@pytest.mark.parametrize(
    ("file", "engine"),
    [
        ("any.tflite", "litert"),
        ("any.onnx", "onnxruntime"),
        ("any.onnx", "openvino"),
        ("any.xml", "openvino"),
    ],
)
def test_the_cpu(described, people, by_keras, file, engine, device):
    embedder = Embedder(described(file), engine, device=device)
    assert embedder.device == "cpu"
    assert "device='cpu'" in repr(embedder)
    np.testing.assert_allclose(embedder(people), by_keras(people), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("file", "engine", "device", "message"),
    [
        ("any.tflite", "auto", "cuda", r"\.tflite files run on: litert on cpu.*'cuda'"),
        ("any.tflite", "litert", "openvino:CPU", r"litert on cpu. Received: 'openvino:CPU'"),
        ("any.xml", "auto", "cuda:1", r"\.xml files run on: openvino on cpu, openvino"),
        ("any.onnx", "openvino", "coreml", r"onnxruntime on cpu, cuda.*engine='openvino'"),
        ("any.onnx", "onnxruntime", "openvino:CPU", r"engine='onnxruntime'"),
    ],
)
def test_devices_that_the_engine_does_not_have(described, file, engine, device, message):
    with pytest.raises(ValueError, match=message):
        Embedder(described(file), engine, device=device)


@pytest.mark.parametrize(
    ("device", "package"),
    [
        ("cuda", "onnxruntime-gpu"),
        ("tensorrt", "onnxruntime-gpu"),
        ("coreml", "onnxruntime for macOS"),
        ("directml:1", "onnxruntime-directml"),
    ],
)
def test_devices_of_other_packages_are_named(described, played, device, package):
    played()
    with pytest.raises(ValueError, match=rf"has: cpu; .* package {package}.*Received: '{device}"):
        Embedder(described("any.onnx"), device=device)


def test_devices_of_openvino(described, people, by_keras):
    embedder = Embedder(described("any.onnx"), device="openvino:cpu")
    assert (embedder.engine, embedder.device) == ("openvino", "cpu")
    np.testing.assert_allclose(embedder(people), by_keras(people), rtol=0, atol=1e-5)
    for name in ("any.onnx", "any.xml"):
        with pytest.raises(ValueError, match=r"OpenVINO finds here: openvino:.*'openvino:FPGA'"):
            Embedder(described(name), device="openvino:FPGA")


@pytest.mark.parametrize("place", ["GPU", "GPU.1", "NPU"])
def test_played_devices_of_openvino(described, people, by_keras, monkeypatch, place):
    import openvino

    compiled = []

    class Core(openvino.Core):
        available_devices = ("CPU", "GPU.0", "GPU.1", "NPU")

        def get_property(self, device, name):
            assert (device, name) == (place, "SUPPORTED_PROPERTIES")
            precision = {} if place == "NPU" else {"INFERENCE_PRECISION_HINT": "RW"}
            return {"PERFORMANCE_HINT": "RW", **precision}

        def compile_model(self, network, device, settings):
            compiled.append((device, settings))
            return super().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    monkeypatch.setattr(openvino, "Core", Core)
    embedder = Embedder(described("any.xml"), device=f"openvino:{place}")
    assert embedder.device == f"openvino:{place}"
    precision = {} if place == "NPU" else {"INFERENCE_PRECISION_HINT": "f32"}
    assert compiled == [(place, {"PERFORMANCE_HINT": "LATENCY", **precision})]
    np.testing.assert_allclose(embedder(people), by_keras(people), rtol=0, atol=1e-5)
    if place != "NPU":
        with pytest.raises(ValueError, match=r"`precision` can be bfloat16 only on a processor"):
            Embedder(described("any.xml"), "openvino", "bfloat16", device=f"openvino:{place}")


@pytest.mark.parametrize("kind", PROVIDERS)
def test_played_devices_of_onnxruntime(described, people, by_keras, played, kind):
    asked = played(*PROVIDERS)
    numbered = kind != "coreml"
    embedder = Embedder(described("any.onnx"), device=f"{kind}:1" if numbered else kind)
    assert (embedder.engine, embedder.device) == ("onnxruntime", f"{kind}:1" if numbered else kind)
    np.testing.assert_allclose(embedder(people), by_keras(people), rtol=0, atol=1e-5)

    assert asked[0] == ["CPUExecutionProvider"]
    (name, options), *others, last = asked[1]
    assert (name, last) == (PROVIDERS[kind], "CPUExecutionProvider")
    assert options.get("device_id") == ("1" if numbered else None)
    if kind == "tensorrt":
        assert [each for each, _ in others] == ["CUDAExecutionProvider"]
        assert options["trt_profile_max_shapes"] == "images:32x32x16x3"


@pytest.mark.parametrize("fails", ["create", "fall back", "run"])
def test_devices_that_do_not_work(described, people, by_keras, played, fails):
    """onnxruntime falls back to the CPU without an error; `device="cuda"` does not."""
    played("cuda", fails=fails)
    path = described("any.onnx")
    with pytest.raises(ValueError, match=r"cannot use cuda: .*Received: 'cuda:0'"):
        Embedder(path, device="cuda")
    with pytest.warns(UserWarning, match=r"any\.onnx runs on the CPU.*cannot use cuda: "):
        embedder = Embedder(path)
    assert embedder.device == "cpu"
    np.testing.assert_allclose(embedder(people), by_keras(people), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("kinds", "nvidia", "chosen"),
    [
        ((), True, "cpu"),
        (("tensorrt", "cuda"), True, "cuda:0"),
        (("tensorrt", "cuda"), False, "cpu"),  # the package for CUDA, and no GPU
        (("directml",), False, "directml:0"),
        (("coreml",), False, "cpu"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_the_choice_of_a_device(described, played, kinds, nvidia, chosen):
    asked = played(*kinds, nvidia=nvidia)
    assert Embedder(described("any.onnx")).device == chosen
    assert len(asked) == (1 if chosen == "cpu" else 2)


def test_a_damaged_file_is_no_fault_of_the_device(described, played, tmp_path):
    played("cuda")
    path = tmp_path / "broken.onnx"
    path.write_bytes(described("any.onnx").read_bytes()[:100])
    with pytest.raises(ValueError, match="damaged"):
        Embedder(path, device="cuda", pixel_range="0-255")


def test_no_driver_is_no_gpu(monkeypatch):
    class Driver:
        """NVIDIA's, in as far as it is asked."""

        def __init__(self, status, count):
            self._status, self._count = status, count

        def cuInit(self, flags):  # noqa: N802
            return self._status

        def cuDeviceGetCount(self, pointer):  # noqa: N802
            pointer._obj.value = self._count
            return 0

    for driver, expected in ((Driver(0, 2), True), (Driver(0, 0), False), (Driver(100, 1), False)):
        monkeypatch.setattr(ort_engine.ctypes, "CDLL", lambda _, driver=driver: driver)
        assert ort_engine._has_nvidia_gpu() is expected

    def missing(_):
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(ort_engine.ctypes, "CDLL", missing)
    assert not ort_engine._has_nvidia_gpu()


def test_cuda_from_pythons_packages_is_found_in_silence(described, played, monkeypatch, capsys):
    import onnxruntime

    played("cuda")
    monkeypatch.setattr(
        onnxruntime, "preload_dlls", lambda: print("Failed to load libcublas"), raising=False
    )
    assert Embedder(described("any.onnx"), device="cuda").device == "cuda:0"
    assert capsys.readouterr().out == ""
