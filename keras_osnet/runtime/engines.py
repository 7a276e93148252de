"""The engines that run exported models, and the choice of one for a file."""

import importlib.util
import os
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.batches import padded
from keras_osnet._utils.checks import positive_integer
from keras_osnet._utils.optional import require
from keras_osnet.runtime.read_metadata import ModelFile, ModelFileError

_PRECISIONS = ("float32", "bfloat16")

Shape = tuple[int | None, ...]


class Engine(ABC):
    """One model file in one engine, with one image tensor in and one tensor out.

    Attributes:
        name: The engine's, as `Embedder` takes it.
        package: Name of its package in the package index.
        input_shape: Of the image tensor in the file's layout, batch first; None for sides of any
            length.
        input_dtype: NumPy's name for the type of the image tensor.
        output_shape: Of the result, batch first.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    module: ClassVar[str]
    """Name that `package` is imported by."""
    precisions: ClassVar[tuple[str, ...]] = ("float32",)
    images_a_thread: ClassVar[int]
    """Images per thread that are run together where the file takes any number: with more, the
    feature maps do not stay in the cache."""

    input_shape: Shape
    input_dtype: str
    output_shape: Shape

    def __init__(self, model: ModelFile, *, precision: str, threads: int) -> None:
        if precision not in self.precisions:
            raise ValueError(
                f"`precision` must be float32 with the engine {self.name}; bfloat16 is OpenVINO's. "
                f"Received: {precision!r}"
            )
        self._file = model.path
        self._most_at_once = self.images_a_thread * threads
        self._lock = threading.Lock()
        self._process = os.getpid()

    def run(self, images: NDArray) -> NDArray[np.float32]:
        """Run the model on any number of images, in as many steps as the file needs.

        May be called from several threads: the calls wait for each other, because each of them
        uses all of the engine's own threads.

        Args:
            images: Array (n, ...) in the file's layout, uint8 or float32; the values before any
                quantization of the model's input tensor.

        Returns:
            Array (n, ...), float32.

        Raises:
            RuntimeError: The process was forked after the file was loaded.
            ModelFileError: The engine fails.
        """
        if os.getpid() != self._process:
            raise RuntimeError(
                f"{self.name} cannot run in a process that was forked after the model was loaded: "
                "its threads stayed behind. Start processes with the method 'spawn', or load the "
                f"model in each. Received: process {os.getpid()}, loaded in {self._process}"
            )
        fixed = self.input_shape[0]
        step = fixed or self._most_at_once
        try:
            with self._lock:
                if len(images) == step or (0 < len(images) < step and not fixed):
                    return self._run(images)
                starts = range(0, len(images), step)
                results = [self._run_part(images[k : k + step]) for k in starts]
        except Exception as error:  # the engines' own have no common base class
            raise self._unusable("run", error) from error
        if not results:
            return np.empty((0, *(side or 0 for side in self.output_shape[1:])), np.float32)
        return np.concatenate(results)

    def _run_part(self, part: NDArray) -> NDArray[np.float32]:
        """Run at most one step, padded with black images where the file takes a fixed number."""
        return self._run(padded(part, self.input_shape[0] or len(part)))[: len(part)]

    @abstractmethod
    def _run(self, images: NDArray) -> NDArray[np.float32]:
        """Run as many images as the file takes; the result is not overwritten by the next run."""

    def _unusable(self, task: str, error: Exception) -> ModelFileError:
        """Return the error for a file that the engine cannot load or run."""
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        return ModelFileError(
            f"{self.package} cannot {task} the model; the file is damaged or of another kind, or "
            f"needs another version of {self.package}: {reason}. Received: {self._file}"
        )

    def _check_single(self, inputs: list[str], outputs: list[str]) -> None:
        """Raise ValueError unless the model has one input and one output."""
        for end, names in (("input", inputs), ("output", outputs)):
            if len(names) != 1:
                raise ModelFileError(
                    f"The model must have one {end}. Received: {names} in {self._file}"
                )


class LiteRT(Engine):
    """A `.tflite` file in ai-edge-litert's interpreter, formerly TensorFlow Lite, with XNNPACK."""

    name = "litert"
    package = "ai-edge-litert"
    module = "ai_edge_litert"
    images_a_thread = 2

    def __init__(self, model: ModelFile, *, precision: str, threads: int) -> None:
        super().__init__(model, precision=precision, threads=threads)
        litert = require("ai_edge_litert.interpreter", "The engine litert", extra="litert")
        try:
            # From memory, so that the file may be replaced or removed while it is in use.
            self._interpreter = litert.Interpreter(model_content=model.content, num_threads=threads)
            given = self._interpreter.get_input_details()
            if all(None not in self._shape(each)[1:] for each in given):
                # Otherwise LiteRT would try the smallest image, which is too small for most models.
                self._interpreter.allocate_tensors()
            inputs = self._interpreter.get_input_details()
            outputs = self._interpreter.get_output_details()
        except Exception as error:
            raise self._unusable("load", error) from error
        self._check_single(*([each["name"] for each in ends] for ends in (inputs, outputs)))
        self._input, self._output = inputs[0], outputs[0]
        self.input_shape = self._shape(self._input)
        self.output_shape = self._shape(self._output)
        if self.input_shape[0] is None:
            self.output_shape = (None, *self.output_shape[1:])
        self.input_dtype = np.dtype(self._input["dtype"]).name
        is_ready = None not in self.input_shape[1:]
        self._allocated = tuple(self._input["shape"]) if is_ready else ()

    def _run(self, images: NDArray) -> NDArray[np.float32]:
        place = self._input["index"]
        if images.shape != self._allocated:
            self._interpreter.resize_tensor_input(place, images.shape)
            self._interpreter.allocate_tensors()
            self._allocated = images.shape
        self._interpreter.set_tensor(place, _stored(images, self._input))
        self._interpreter.invoke()
        return _real(self._interpreter.get_tensor(self._output["index"]), self._output)

    @staticmethod
    def _shape(tensor: dict[str, Any]) -> Shape:
        return tuple(None if side < 0 else int(side) for side in tensor["shape_signature"])


class OnnxRuntime(Engine):
    """An `.onnx` file in onnxruntime, on the CPU."""

    name = "onnxruntime"
    package = "onnxruntime"
    module = "onnxruntime"
    images_a_thread = 2

    _DTYPES: ClassVar = {
        "tensor(float)": "float32",
        "tensor(float16)": "float16",
        "tensor(uint8)": "uint8",
    }
    _ERRORS_ONLY = 3

    def __init__(self, model: ModelFile, *, precision: str, threads: int) -> None:
        super().__init__(model, precision=precision, threads=threads)
        onnxruntime: Any = require("onnxruntime", "The engine onnxruntime", extra="onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = self._ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                model.path if model.external else model.content,
                options,
                providers=["CPUExecutionProvider"],
            )
        except Exception as error:
            raise self._unusable("load", error) from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self._check_single(*([each.name for each in ends] for ends in (inputs, outputs)))
        self._input, self._output = inputs[0].name, outputs[0].name
        self.input_shape = self._shape(inputs[0].shape)
        self.output_shape = self._shape(outputs[0].shape)
        self.input_dtype = self._DTYPES.get(inputs[0].type, inputs[0].type)

    def _run(self, images: NDArray) -> NDArray[np.float32]:
        given = np.ascontiguousarray(images, self.input_dtype)
        result = self._session.run([self._output], {self._input: given})[0]
        return result.astype(np.float32, copy=False)

    @staticmethod
    def _shape(sides: list[int | str | None]) -> Shape:
        """Return a shape with None for free dimensions, which have names in ONNX."""
        return tuple(side if isinstance(side, int) and side > 0 else None for side in sides)


class OpenVINO(Engine):
    """An `.xml` file with its `.bin`, or an `.onnx` file, in OpenVINO, on the CPU."""

    name = "openvino"
    package = "openvino"
    module = "openvino"
    precisions = _PRECISIONS
    images_a_thread = 4

    _DTYPES: ClassVar = {"f32": "float32", "f16": "float16", "u8": "uint8"}

    # Without a hint, OpenVINO computes in bfloat16 on machines that have an AMX unit.
    _HINTS: ClassVar = {"float32": "f32", "bfloat16": "bf16"}

    def __init__(self, model: ModelFile, *, precision: str, threads: int) -> None:
        super().__init__(model, precision=precision, threads=threads)
        openvino: Any = require("openvino", "The engine openvino", extra="openvino")
        core = openvino.Core()
        # Weights that are mapped from the file would change, or crash, with it.
        core.set_property({"ENABLE_MMAP": False})
        if precision == "bfloat16" and not computes_bfloat16():
            raise ValueError(
                "`precision` can be bfloat16 only on a processor that computes in it, and this "
                f"one does not. Received: {precision!r}"
            )
        contents = (model.content,) if model.weights is None else (model.content, model.weights)
        try:
            network = core.read_model(*((model.path,) if model.external else contents))
            compiled = core.compile_model(
                network,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": self._HINTS[precision],
                    "INFERENCE_NUM_THREADS": threads,
                    "PERFORMANCE_HINT": "LATENCY",
                },
            )
        except Exception as error:
            raise self._unusable("load", error) from error
        self._check_single(
            [each.get_any_name() for each in compiled.inputs],
            [str(each.names) for each in compiled.outputs],
        )
        self._request = compiled.create_infer_request()
        self.input_shape = self._shape(compiled.input())
        self.output_shape = self._shape(compiled.output())
        name = compiled.input().get_element_type().get_type_name()
        self.input_dtype = self._DTYPES.get(name, name)

    def _run(self, images: NDArray) -> NDArray[np.float32]:
        given = np.ascontiguousarray(images, self.input_dtype)
        # Not in this thread: OpenVINO 2026.4 can crash when a thread ends that it has computed in.
        self._request.start_async({0: given}, share_inputs=True)
        self._request.wait()
        # A copy: the tensor is written over by the next run.
        return np.array(self._request.get_output_tensor().data, np.float32)

    @staticmethod
    def _shape(port: Any) -> Shape:
        return tuple(
            None if side.is_dynamic else side.get_length() for side in port.get_partial_shape()
        )


_BY_FILE: dict[str, tuple[type[Engine], ...]] = {
    ".tflite": (LiteRT,),
    ".onnx": (OnnxRuntime, OpenVINO),
    ".xml": (OpenVINO,),
}
"""Engines by the suffix of the file; "auto" selects the first that is installed.

For .onnx that is onnxruntime, which was faster for one image at a time; OpenVINO was for 32. In ms
per image on two cores, onnxruntime and OpenVINO: x1.0 12.9 and 14.0 (batch 1), 12.9 and 12.5 (batch
32); x0.25 2.3 and 3.6, 2.6 and 2.0. Do not compare these with the page "Choose a model", whose run
was of .xml files on another day.
"""

ENGINES = tuple(each.name for each in (LiteRT, OnnxRuntime, OpenVINO))


def engines_for(file: Path) -> list[str]:
    """Return the engines that are installed and take a file, the one of "auto" first."""
    return [each.name for each in _BY_FILE[file.suffix.lower()] if _is_installed(each)]


def open_engine(model: ModelFile, engine: str, *, precision: str, threads: int | None) -> Engine:
    """Load a model's file.

    Args:
        model: As `read_model_file` returns it.
        engine: "auto" or one of `ENGINES`.
        precision: "float32" or "bfloat16".
        threads: Number of threads; None for all processors that this process may use.

    Raises:
        ValueError: An argument is not as above, the engine does not take such files or cannot
            compute in that precision, or the file is damaged (ModelFileError).
        ImportError: The engine is not installed.
    """
    if precision not in _PRECISIONS:
        raise ValueError(f"`precision` must be one of {_PRECISIONS}. Received: {precision!r}")
    if engine != "auto" and engine not in ENGINES:
        raise ValueError(f"`engine` must be one of {('auto', *ENGINES)}. Received: {engine!r}")
    count = usable_cpus() if threads is None else positive_integer("threads", threads)
    suffix = model.kind
    takers = _BY_FILE[suffix]
    if engine == "auto":
        able = [each for each in takers if precision in each.precisions] or takers
        chosen = next((each for each in able if _is_installed(each)), able[0])
    else:
        named = [each for each in takers if each.name == engine]
        if not named:
            raise ValueError(
                f"`engine` must be one that takes {suffix} files: "
                f"{', '.join(each.name for each in takers)}. Received: {engine!r}"
            )
        chosen = named[0]
    return chosen(model, precision=precision, threads=count)


def usable_cpus() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def computes_bfloat16() -> bool:
    """Return whether OpenVINO, which must be installed, can compute in bfloat16 here."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _is_installed(engine: type[Engine]) -> bool:
    try:
        return importlib.util.find_spec(engine.module) is not None
    except ImportError:  # from an import hook that blocks modules
        return False


def _stored(values: NDArray, tensor: dict[str, Any]) -> NDArray:
    """Return values as a tensor stores them: `round(value / scale) + zero_point` if quantized."""
    scale, zero = tensor["quantization"]
    dtype = np.dtype(tensor["dtype"])
    if dtype.kind == "f" or scale == 0 or (scale == 1 and zero == 0 and values.dtype == dtype):
        return np.ascontiguousarray(values, dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values / np.float32(scale)) + zero, limits.min, limits.max).astype(dtype)


def _real(stored: NDArray, tensor: dict[str, Any]) -> NDArray[np.float32]:
    """Return the numbers that a tensor stores, before quantization."""
    scale, zero = tensor["quantization"]
    if np.dtype(tensor["dtype"]).kind == "f" or scale == 0:
        return stored.astype(np.float32, copy=False)
    return (stored.astype(np.float32) - zero) * np.float32(scale)
