"""OpenVINO: its own `.xml` and `.bin`, and `.onnx` files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.optional import require
from keras_osnet.runtime.engines.engine import (
    Engine,
    Shape,
    only_one,
    unusable,
)

_DTYPES = {"f32": "float32", "f16": "float16", "u8": "uint8"}

_HINTS = {"float32": "f32", "bfloat16": "bf16"}
"""Without a hint, OpenVINO computes in bfloat16 on machines that have an AMX unit."""


class OpenVINO(Engine):
    """A model in OpenVINO, on the CPU; the only engine that can compute in bfloat16."""

    name = "openvino"
    package = "openvino"
    module = "openvino"
    images_a_thread = 4

    def __init__(self, file: Path, *, precision: str, threads: int) -> None:
        super().__init__(file, precision=precision, threads=threads)
        openvino: Any = require("openvino", "The engine openvino", extra="openvino")
        if file.suffix == ".xml" and not file.with_suffix(".bin").is_file():
            raise FileNotFoundError(
                "OpenVINO keeps a model's weights beside it, and they are not there. "
                f"Received: {file} without {file.with_suffix('.bin').name}"
            )
        core = openvino.Core()
        # Weights that are mapped from the file would change, or crash, with it.
        core.set_property({"ENABLE_MMAP": False})
        if precision == "bfloat16" and not computes_bfloat16():
            raise ValueError(
                "`precision` can be bfloat16 only on a processor that computes in it, and this "
                f"one does not. Received: {precision!r}"
            )
        try:
            model = core.read_model(file)
            compiled = core.compile_model(
                model,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": _HINTS[precision],
                    "INFERENCE_NUM_THREADS": threads,
                    "PERFORMANCE_HINT": "LATENCY",
                },
            )
        except RuntimeError as error:
            raise unusable(file, type(self), error) from error
        only_one(file, "input", [each.get_any_name() for each in compiled.inputs])
        only_one(file, "output", [str(each.names) for each in compiled.outputs])
        self._request = compiled.create_infer_request()
        self.input_shape = _shape(compiled.input())
        self.output_shape = _shape(compiled.output())
        self.input_dtype = _dtype(compiled.input())

    def _run(self, images: NDArray) -> NDArray[np.float32]:
        given = np.ascontiguousarray(images, self.input_dtype)
        self._request.infer({0: given}, share_inputs=True)
        # A copy: the tensor is written over by the next run.
        return np.array(self._request.get_output_tensor().data, np.float32)


def computes_bfloat16() -> bool:
    """Return whether OpenVINO, which must be installed, can compute in bfloat16 here."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _shape(port: Any) -> Shape:
    return tuple(
        None if side.is_dynamic else side.get_length() for side in port.get_partial_shape()
    )


def _dtype(port: Any) -> str:
    name = port.get_element_type().get_type_name()
    return _DTYPES.get(name, name)
