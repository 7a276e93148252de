"""ONNX Runtime: `.onnx` files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.optional import require
from keras_osnet.runtime.engines.engine import (
    Engine,
    Shape,
    only_float32,
    only_one,
    unusable,
)

_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}

_ERRORS_ONLY = 3


class OnnxRuntime(Engine):
    """An `.onnx` file in onnxruntime, on the CPU."""

    name = "onnxruntime"
    package = "onnxruntime"
    module = "onnxruntime"
    images_a_thread = 2

    def __init__(self, file: Path, *, precision: str, threads: int) -> None:
        super().__init__(file, precision=precision, threads=threads)
        only_float32(type(self), precision)
        onnxruntime: Any = require("onnxruntime", "The engine onnxruntime", extra="onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                file, options, providers=["CPUExecutionProvider"]
            )
        # Its errors have no common base class.
        except Exception as error:
            raise unusable(file, type(self), error) from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        only_one(file, "input", [each.name for each in inputs])
        only_one(file, "output", [each.name for each in outputs])
        self._input, self._output = inputs[0].name, outputs[0].name
        self.input_shape = _shape(inputs[0].shape)
        self.output_shape = _shape(outputs[0].shape)
        self.input_dtype = _DTYPES.get(inputs[0].type, inputs[0].type)

    def _run(self, images: NDArray) -> NDArray[np.float32]:
        given = np.ascontiguousarray(images, self.input_dtype)
        result = self._session.run([self._output], {self._input: given})[0]
        return result.astype(np.float32, copy=False)


def _shape(sides: list[int | str | None]) -> Shape:
    """Return a shape with None for free dimensions, which have names in ONNX."""
    return tuple(side if isinstance(side, int) and side > 0 else None for side in sides)
