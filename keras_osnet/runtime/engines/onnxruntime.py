"""`.onnx` files in onnxruntime."""

import contextlib
import ctypes
import functools
import io
import sys
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.optional import require
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.runtime.engines.device import NUMBERED, Device
from keras_osnet.runtime.engines.engine import Engine, Shape
from keras_osnet.runtime.engines.int8_overflow import onnxruntime_overflows
from keras_osnet.runtime.engines.sharing import Run
from keras_osnet.runtime.read_metadata import ModelFile


@dataclass(frozen=True)
class _Provider:
    """An execution provider of onnxruntime.

    Attributes:
        name: As onnxruntime lists it.
        package: The package that contains it.
        options: Its options, beside the number of the device.
    """

    name: str
    package: str
    options: dict[str, str] = field(default_factory=dict)


_PROVIDERS = {
    # Without the option, convolutions are computed with about 3 digits on Ampere and later.
    "cuda": _Provider("CUDAExecutionProvider", "onnxruntime-gpu", {"use_tf32": "0"}),
    "tensorrt": _Provider("TensorrtExecutionProvider", "onnxruntime-gpu, with TensorRT"),
    # Its other format may be computed in float16.
    "coreml": _Provider(
        "CoreMLExecutionProvider", "onnxruntime for macOS", {"ModelFormat": "MLProgram"}
    ),
    "directml": _Provider("DmlExecutionProvider", "onnxruntime-directml"),
}
"""By kind of `Device`."""

_AUTO = ("cuda", "directml")
"""What "auto" tries before the CPU: packages that are installed for the sake of a GPU.

Not TensorRT, which compiles the network whenever it is loaded, nor Core ML, which every onnxruntime
for macOS contains, and which may be slower.
"""

_CPU = "CPUExecutionProvider"

_ON_DEVICE = 32
"""Images that are run together on another device than the CPU."""

_ERRORS_ONLY = 3


class OnnxRuntime(Engine):
    """An `.onnx` file in onnxruntime, on the CPU or through another execution provider."""

    name = "onnxruntime"
    package = "onnxruntime"
    module = "onnxruntime"
    device_kinds = ("cpu", *_PROVIDERS)

    _DTYPES: ClassVar = {
        "tensor(float)": "float32",
        "tensor(float16)": "float16",
        "tensor(uint8)": "uint8",
    }

    def __init__(
        self, model: ModelFile, *, precision: str, threads: int, device: Device, output: str | None
    ) -> None:
        super().__init__(model, precision=precision, threads=threads, device=device, output=output)
        self._onnxruntime: Any = require(
            "onnxruntime", "The engine onnxruntime", extra="onnxruntime"
        )
        self._threads = threads
        self._model = model.path if model.external else model.content
        try:
            self._session = self._open("cpu", [_CPU], threads)
        except Exception as error:
            raise self._unusable("load", error) from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        index = self._output_index(*([each.name for each in ends] for ends in (inputs, outputs)))
        self._input, self._output = inputs[0].name, outputs[index].name
        self.input_shape = self._shape(inputs[0].shape)
        self.output_shape = self._shape(outputs[index].shape)
        self.input_dtype = self._DTYPES.get(inputs[0].type, inputs[0].type)
        self.device = "cpu"
        if device.kind == "auto":
            self._use_best()
        elif device.kind != "cpu":
            self._use(device)
        if model.external:  # the files may have changed later
            self._shared_runs()

    def _run(self, images: NDArray) -> NDArray[np.float32]:
        return self._run_session(self._session, images)

    def _parallel(self, copies: int, threads: int) -> list[Run]:
        session = self._open("cpu", [_CPU], threads)  # one computes for several threads at once
        return [functools.partial(self._run_session, session)] * copies

    def _run_session(self, session: Any, images: NDArray) -> NDArray[np.float32]:
        given = np.ascontiguousarray(images, self.input_dtype)
        result: NDArray[np.float32] = session.run([self._output], {self._input: given})[0]
        return result.astype(np.float32, copy=False)

    def _open(self, kind: str, providers: list[Any], threads: int) -> Any:
        options = self._onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        # Its threads would go on waiting in a loop after a run, in the way of the copies' threads.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if onnxruntime_overflows(self._onnxruntime):
            options.add_session_config_entry("session.x64quantprecision", "1")
        options.enable_mem_pattern = kind != "directml"  # which refuses it
        return self._onnxruntime.InferenceSession(
            self._model, options, providers=providers, enable_fallback=0
        )

    def _use_best(self) -> None:
        """Use a GPU where there is one that works."""
        available = self._onnxruntime.get_available_providers()
        for kind in _AUTO:
            if _PROVIDERS[kind].name not in available or (kind == "cuda" and not _has_nvidia_gpu()):
                continue
            try:
                self._use(Device(kind, "0"))
            except ValueError as error:
                warn_user(f"{self._file.name} runs on the CPU, not on the GPU. {error}")
            else:
                return

    def _use(self, device: Device) -> None:
        """Move the model from the CPU to another device.

        Raises:
            ValueError: onnxruntime has no such device here, or it does not work.
        """
        provider = _PROVIDERS[device.kind]
        available = self._onnxruntime.get_available_providers()
        if provider.name not in available:
            here = ["cpu", *(kind for kind in _PROVIDERS if _PROVIDERS[kind].name in available)]
            raise ValueError(
                f"`device` must be one that the installed onnxruntime has: {', '.join(here)}; "
                f"{device.kind} is in the package {provider.package}, to be installed in place of "
                f"the present one. Received: {str(device)!r}"
            )
        try:
            session = self._open(device.kind, self._with_options(device, available), self._threads)
            if session.get_providers()[0] != provider.name:
                raise RuntimeError("its libraries or its driver are missing, or are too old")
            sides = [side for side in self.input_shape[1:] if side is not None]
            if len(sides) == len(self.input_shape) - 1:  # some errors come with the first run
                image = np.zeros((self.input_shape[0] or 1, *sides), self.input_dtype)
                session.run([self._output], {self._input: image})
        except Exception as error:
            reason = " ".join(str(error).split())[:400] or type(error).__name__
            raise ValueError(
                f"`device` must be one that works here, and onnxruntime cannot use {device.kind}: "
                f"{reason}. Received: {str(device)!r}"
            ) from error
        self._session = session
        self._most = _ON_DEVICE
        self.device = str(device)

    def _with_options(self, device: Device, available: list[str]) -> list[Any]:
        """Return the providers to ask for, the device's first."""
        if device.kind in ("cuda", "tensorrt") and hasattr(self._onnxruntime, "preload_dlls"):
            # Finds CUDA in Python's packages. It prints what it does not find.
            with contextlib.redirect_stdout(io.StringIO()):
                self._onnxruntime.preload_dlls()
        kinds = [device.kind]
        if device.kind == "tensorrt" and _PROVIDERS["cuda"].name in available:
            kinds.append("cuda")  # for the operations that TensorRT lacks
        number = {"device_id": device.place} if device.kind in NUMBERED else {}
        named = [(_PROVIDERS[kind].name, {**number, **_PROVIDERS[kind].options}) for kind in kinds]
        if device.kind == "tensorrt":
            named[0][1].update(self._tensorrt_shapes())
        return [*named, _CPU]

    def _tensorrt_shapes(self) -> dict[str, str]:
        """Return options with the numbers of images to compile for: one network for all of them."""
        if self.input_shape[0] is not None or None in self.input_shape[1:]:
            return {}
        sides = "x".join(map(str, self.input_shape[1:]))
        numbers = {"min": 1, "opt": 8, "max": _ON_DEVICE}
        return {
            f"trt_profile_{name}_shapes": f"{self._input}:{number}x{sides}"
            for name, number in numbers.items()
        }

    @staticmethod
    def _shape(sides: list[int | str | None] | None) -> Shape:
        """Return a shape with None for free dimensions, which have names in ONNX."""
        return tuple(side if isinstance(side, int) and side > 0 else None for side in sides or ())


def _has_nvidia_gpu() -> bool:
    """Return whether NVIDIA's driver finds a GPU; where it does not, onnxruntime prints errors."""
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        found = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    except (OSError, AttributeError):
        return False
    return found and count.value > 0
