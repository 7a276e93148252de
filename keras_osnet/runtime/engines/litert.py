"""`.tflite` files."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.optional import require
from keras_osnet.runtime.engines.device import Device
from keras_osnet.runtime.engines.engine import Engine, Shape
from keras_osnet.runtime.engines.sharing import Run
from keras_osnet.runtime.read_metadata import ModelFile


class LiteRT(Engine):
    """A `.tflite` file in ai-edge-litert's interpreter, formerly TensorFlow Lite, with XNNPACK.

    On the CPU: the package has no delegate for another device.
    """

    name = "litert"
    package = "ai-edge-litert"
    module = "ai_edge_litert"

    def __init__(
        self, model: ModelFile, *, precision: str, threads: int, device: Device, output: str | None
    ) -> None:
        super().__init__(model, precision=precision, threads=threads, device=device, output=output)
        self.device = "cpu"
        self._litert: Any = require(
            "ai_edge_litert.interpreter", "The engine litert", extra="litert"
        )
        # From memory, so that the file may be replaced or removed while it is in use.
        self._content = model.content
        try:
            interpreter = self._interpreter(threads)
            inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        except Exception as error:
            raise self._unusable("load", error) from error
        index = self._output_index(*([each["name"] for each in ends] for ends in (inputs, outputs)))
        self._input, self._output = inputs[0], outputs[index]
        self.input_shape = self._shape(self._input)
        self.output_shape = self._shape(self._output)
        if self.input_shape[0] is None:
            self.output_shape = (None, *self.output_shape[1:])
        self.input_dtype = np.dtype(self._input["dtype"]).name
        self._runner = _Runner(interpreter, self._input, self._output)

    def _run(self, images: NDArray) -> NDArray[np.float32]:
        return self._runner.run(images)

    def _parallel(self, copies: int, threads: int) -> list[Run]:
        interpreters = [self._interpreter(threads) for _ in range(copies)]
        return [_Runner(each, self._input, self._output).run for each in interpreters]

    def _interpreter(self, threads: int) -> Any:
        """Load the file; with memory for its feature maps where the size of images is known."""
        interpreter = self._litert.Interpreter(model_content=self._content, num_threads=threads)
        if all(None not in self._shape(each)[1:] for each in interpreter.get_input_details()):
            # Otherwise LiteRT would try the smallest image, which is too small for most models.
            interpreter.allocate_tensors()
        return interpreter

    @staticmethod
    def _shape(tensor: dict[str, Any]) -> Shape:
        return tuple(None if side < 0 else int(side) for side in tensor["shape_signature"])


class _Runner:
    """One interpreter, which keeps the memory of its feature maps.

    Args:
        interpreter: LiteRT's.
        given: Details of the image tensor.
        output: Likewise, of the output.
    """

    def __init__(self, interpreter: Any, given: dict[str, Any], output: dict[str, Any]) -> None:
        self._interpreter, self._input, self._output = interpreter, given, output
        is_ready = all(side > 0 for side in given["shape_signature"][1:])
        self._allocated = tuple(given["shape"]) if is_ready else ()

    def run(self, images: NDArray) -> NDArray[np.float32]:
        """Return the outputs of images, which the next run does not overwrite."""
        place = self._input["index"]
        if images.shape != self._allocated:
            self._interpreter.resize_tensor_input(place, images.shape)
            self._interpreter.allocate_tensors()
            self._allocated = images.shape
        self._interpreter.set_tensor(place, _stored(images, self._input))
        self._interpreter.invoke()
        return _real(self._interpreter.get_tensor(self._output["index"]), self._output)


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
