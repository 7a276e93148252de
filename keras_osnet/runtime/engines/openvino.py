"""`.xml` and `.onnx` files in OpenVINO."""

import functools
import threading
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.optional import require
from keras_osnet.runtime.engines.device import Device
from keras_osnet.runtime.engines.engine import Engine, Shape
from keras_osnet.runtime.engines.int8_overflow import OPENVINO_IN_FLOAT, openvino_overflows
from keras_osnet.runtime.engines.sharing import Run
from keras_osnet.runtime.read_metadata import ModelFile

_CONVERSION = threading.Lock()
"""Held while arrays become tensors of OpenVINO and back: in OpenVINO 2026.4, two threads that make
their first tensors at once can wait for each other forever."""

_ONE_AT_A_TIME = ("CPU", "NPU")
"""Devices that run a network of one image: an NPU has no free shapes, and with them a CPU takes
0.5 ms longer for x0.25."""

_ON_DEVICE = 8
"""Images that are run together on a GPU."""


class OpenVINO(Engine):
    """An `.xml` file with its `.bin`, or an `.onnx` file, in OpenVINO.

    On the CPU unless another device is named. A GPU computes in float32, an NPU in float16 and one
    image at a time.
    """

    name = "openvino"
    package = "openvino"
    module = "openvino"
    precisions = ("float32", "bfloat16")
    device_kinds = ("cpu", "openvino")

    _DTYPES: ClassVar = {"f32": "float32", "f16": "float16", "u8": "uint8"}

    # Without a hint, OpenVINO computes in bfloat16 on machines that have an AMX unit, and in
    # float16 on a GPU.
    _HINTS: ClassVar = {"float32": "f32", "bfloat16": "bf16"}

    def __init__(
        self, model: ModelFile, *, precision: str, threads: int, device: Device, output: str | None
    ) -> None:
        super().__init__(model, precision=precision, threads=threads, device=device, output=output)
        openvino: Any = require("openvino", "The engine openvino", extra="openvino")
        core = openvino.Core()
        place = device.place or "CPU"
        _check_available(place, core.available_devices)
        # Weights that are mapped from the file would change, or crash, with it.
        core.set_property({"ENABLE_MMAP": False})
        if precision == "bfloat16" and not (place == "CPU" and computes_bfloat16()):
            raise ValueError(
                "`precision` can be bfloat16 only on a processor that computes in it, and this "
                f"one does not. Received: {precision!r}, {place}"
            )
        settings = {
            "INFERENCE_PRECISION_HINT": self._HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        supported = core.get_property(place, "SUPPORTED_PROPERTIES")
        contents = (model.content,) if model.weights is None else (model.content, model.weights)
        try:
            network = core.read_model(*((model.path,) if model.external else contents))
            if place.startswith(_ONE_AT_A_TIME):
                self._fix_batch(network)
            chosen = {name: settings[name] for name in settings if name in supported}
            if place == "CPU" and _is_quantized(network) and openvino_overflows(openvino):
                chosen |= OPENVINO_IN_FLOAT
            compiled = core.compile_model(network, place, chosen)
        except Exception as error:
            raise self._unusable("load", error) from error
        names = [each.names for each in compiled.outputs]
        index = self._output_index(
            [min(each.names, default="") for each in compiled.inputs],
            [str(output) if output in each else min(each, default="") for each in names],
        )
        if place == "CPU":
            self.device = "cpu"
            self._core, self._network, self._settings = core, network, chosen
        else:
            self.device, self._most = f"openvino:{place}", _ON_DEVICE
        self._request = compiled.create_infer_request()
        self._index = index
        self.input_shape = self._shape(compiled.input())
        if self._fixed is not None:
            self.input_shape = (None, *self.input_shape[1:])
        self.output_shape = self._shape(compiled.output(index))
        name = compiled.input().get_element_type().get_type_name()
        self.input_dtype = self._DTYPES.get(name, name)

    def _run(self, images: NDArray) -> NDArray[np.float32]:
        return self._run_request(self._request, images)

    def _parallel(self, copies: int, threads: int) -> list[Run]:
        settings = {
            **self._settings,
            "INFERENCE_NUM_THREADS": copies * threads,
            "NUM_STREAMS": copies,
            "PERFORMANCE_HINT": "THROUGHPUT",
        }
        compiled = self._core.compile_model(self._network, "CPU", settings)
        requests = [compiled.create_infer_request() for _ in range(copies)]
        return [functools.partial(self._run_request, each) for each in requests]

    def _run_request(self, request: Any, images: NDArray) -> NDArray[np.float32]:
        given = np.ascontiguousarray(images, self.input_dtype)
        # Not in this thread: OpenVINO 2026.4 can crash when a thread ends that it has computed in.
        with _CONVERSION:
            request.start_async({0: given}, share_inputs=True)
        request.wait()
        with _CONVERSION:
            # A copy: the tensor is written over by the next run.
            return np.array(request.get_output_tensor(self._index).data, np.float32)

    def _fix_batch(self, network: Any) -> None:
        """Make a network that takes any number of images take one at a time."""
        for port in network.inputs:
            sides = list(port.get_partial_shape())
            if sides and sides[0].is_dynamic:
                network.reshape({port: [1, *sides[1:]]})
                self._fixed = 1

    @staticmethod
    def _shape(port: Any) -> Shape:
        shape = port.get_partial_shape()
        if shape.rank.is_dynamic:
            return ()
        return tuple(None if side.is_dynamic else side.get_length() for side in shape)


def _is_quantized(network: Any) -> bool:
    return any(each.get_type_name() == "FakeQuantize" for each in network.get_ops())


def computes_bfloat16() -> bool:
    """Return whether OpenVINO, which must be installed, can compute in bfloat16 here."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _check_available(place: str, available: list[str]) -> None:
    """Raise ValueError unless OpenVINO has a device: "GPU" is the first of "GPU.0" and "GPU.1"."""
    if not any(place == each or each.startswith(f"{place}.") for each in available):
        raise ValueError(
            "`device` must be one that OpenVINO finds here: "
            f"{', '.join(f'openvino:{each}' for each in available)}; others need Intel's driver. "
            f"Received: 'openvino:{place}'"
        )
