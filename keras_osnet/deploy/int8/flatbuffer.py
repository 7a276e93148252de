"""Convert a float flatbuffer to int8: ranges of tensors, and grids by litert-quantizer."""

import contextlib
import io
import re
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.optional import require
from keras_osnet.deploy.int8.rounding import LARGEST, PIXELS, widened

_PURPOSE = '`quantization="int8"`'

_WITHOUT_KERNEL = ("ADD", "CONCATENATION", "MAX_POOL_2D", "PAD")
"""Operations on feature maps that are computed in integers besides convolutions."""


class Flatbuffer:
    """A float TFLite model as objects, with short tensor names.

    The converter's own names take a sixth of the file at width 0.25. The names of inputs and
    outputs remain in the signature.
    """

    def __init__(self, content: bytes) -> None:
        self._tools = require("ai_edge_litert.tools.flatbuffer_utils", _PURPOSE, "deploy")
        self.model = self._tools.read_model_from_bytearray(bytearray(content))
        (self.graph,) = self.model.subgraphs
        for index, tensor in enumerate(self.graph.tensors):
            tensor.name = f"t{index}".encode()

    def pack(self) -> bytes:
        """Return the content of the file."""
        return bytes(self._tools.convert_object_to_bytearray(self.model))

    def operations(self) -> list[tuple[str, Any]]:
        """Return the name and the object of each operation."""
        return [
            (self._tools.opcode_to_name(self.model, operation.opcodeIndex), operation)
            for operation in self.graph.operators
        ]

    def tensor_name(self, index: int) -> str:
        """Return the short name of a tensor."""
        return self.graph.tensors[index].name.decode()

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of a tensor, with 1 for an open batch."""
        shape = self.graph.tensors[index].shape
        return () if shape is None else tuple(int(size) for size in shape)

    def constant(self, index: int) -> NDArray[np.float32] | None:
        """Return the values of a float constant, None for anything else."""
        tensor = self.graph.tensors[index]
        data = self.model.buffers[tensor.buffer].data
        if (
            data is None
            or len(data) == 0
            or tensor.type != self._tools.schema_fb.TensorType.FLOAT32
        ):
            return None
        return np.frombuffer(bytes(data), np.float32).reshape(self.shape(index))

    def is_map(self, index: int) -> bool:
        """Return whether a tensor holds feature maps of more than one pixel."""
        shape = self.shape(index)
        return len(shape) == 4 and shape[1:3] != (1, 1)


def measured_ranges(
    flatbuffer: Flatbuffer, scales: dict[bytes, NDArray], images: NDArray
) -> dict[str, tuple[float, float]]:
    """Run a float model and measure the range of each tensor that int8 holds.

    Args:
        flatbuffer: The model.
        scales: As for `quantized`.
        images: Input of the model, (n, height, width, 3).

    Returns:
        (lowest, highest) by the tensor's name.
    """
    litert = require("ai_edge_litert.interpreter", _PURPOSE, "deploy")
    integer = integer_operations(flatbuffer, scales)
    held = {
        int(index)
        for number, (_, operation) in enumerate(flatbuffer.operations())
        if number in integer
        for index in (*operation.inputs, *operation.outputs)
        if index >= 0
    }
    made = {int(index) for _, operation in flatbuffer.operations() for index in operation.outputs}
    (image,) = flatbuffer.graph.inputs
    held &= made | {int(image)}
    with warnings.catch_warnings():  # about the memory that preserved tensors take
        warnings.simplefilter("ignore", UserWarning)
        runner = litert.Interpreter(
            model_content=flatbuffer.pack(), experimental_preserve_all_tensors=True, num_threads=2
        )
    runner.allocate_tensors()
    found = dict.fromkeys(sorted(held), (np.inf, -np.inf))
    if images.dtype == np.uint8:
        found |= {index: PIXELS for index in _image_tensors(flatbuffer) if index in found}
    for pixels in images:
        runner.set_tensor(image, pixels[None].astype(np.float32))
        runner.invoke()
        for index, (low, high) in found.items():
            values = runner.get_tensor(index)
            found[index] = min(low, float(values.min())), max(high, float(values.max()))
    return {
        flatbuffer.tensor_name(index): ends if ends == PIXELS else widened(*ends, len(images))
        for index, ends in found.items()
    }


def quantized(
    flatbuffer: Flatbuffer,
    scales: dict[bytes, NDArray],
    ranges: dict[str, tuple[float, float]],
) -> bytes:
    """Quantize a flatbuffer whose weights already lie on their grids.

    Args:
        flatbuffer: The float model.
        scales: Steps of the output channels of each kernel, by the kernel's bytes in TFLite's
            order.
        ranges: Lowest and highest value of each input and output of int8 operations.
    """
    quantizer = require("litert_quantizer.quantizer", _PURPOSE, "deploy")
    work = quantizer.Quantizer(bytearray(flatbuffer.pack()))
    found = {
        name: {"min": np.array([low], np.float32), "max": np.array([high], np.float32)}
        for name, (low, high) in ranges.items()
    }
    integer = integer_operations(flatbuffer, scales)
    unseen = set(scales)
    for number, (name, operation) in enumerate(flatbuffer.operations()):
        kernel = kernel_of(flatbuffer, name, operation)
        # The recipe finds an operation by the names of its outputs, each ended by a semicolon.
        outputs = "".join(f"{flatbuffer.tensor_name(index)};" for index in operation.outputs)
        pattern = f"^{re.escape(outputs)}$"
        if kernel is not None and kernel.tobytes() in scales:
            unseen.discard(kernel.tobytes())
            bound = (scales[kernel.tobytes()] * LARGEST).astype(np.float32)
            bound = bound.reshape(_along(name, kernel))
            found[flatbuffer.tensor_name(operation.inputs[1])] = {"min": -bound, "max": bound}
            if name == "FULLY_CONNECTED":
                work.add_dynamic_config(pattern, name, num_bits=8)
        if number in integer:
            work.add_static_config(pattern, name, activation_num_bits=8, weight_num_bits=8)
    if unseen:
        raise RuntimeError(f"the converter has changed {len(unseen)} rounded kernels")
    # litert-quantizer 0.11 always draws one of its progress bars.
    with contextlib.redirect_stderr(io.StringIO()):
        result = work.quantize(found, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def integer_operations(flatbuffer: Flatbuffer, scales: dict[bytes, NDArray]) -> set[int]:
    """Return the numbers of the operations to compute in integers, those of `graph.steps`."""
    chosen: set[int] = set()
    made: set[int] = set()
    for number, (name, operation) in enumerate(flatbuffer.operations()):
        kernel = kernel_of(flatbuffer, name, operation)
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            integer = kernel is not None and kernel.tobytes() in scales
        else:
            integer = name in _WITHOUT_KERNEL and flatbuffer.is_map(operation.outputs[0])
            if name == "ADD":
                integer = integer and made.issuperset(operation.inputs)
        if integer:
            chosen.add(number)
            made.update(int(index) for index in operation.outputs)
    return chosen


def kernel_of(flatbuffer: Flatbuffer, name: str, operation: Any) -> NDArray[np.float32] | None:
    """Return the kernel of a convolution or fully connected operation, None for others."""
    if name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return None
    return flatbuffer.constant(operation.inputs[1])


def with_uint8_input(content: bytes) -> bytes:
    """Make a model take uint8 pixels of 0–255 instead of floats that it rounds to pixels."""
    flatbuffer = Flatbuffer(content)
    images = _image_tensors(flatbuffer)
    readers = [name for name, each in flatbuffer.operations() if images[-1] in each.inputs]
    if readers != ["QUANTIZE"]:
        raise RuntimeError(f"the input should be rounded before all else. Received: {readers}")
    schema = require("ai_edge_litert.tools.flatbuffer_utils", _PURPOSE, "deploy").schema_fb
    for image in images:
        tensor = flatbuffer.graph.tensors[image]
        tensor.type = schema.TensorType.UINT8
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = [1.0]
        tensor.quantization.zeroPoint = [0]
    return flatbuffer.pack()


def _image_tensors(flatbuffer: Flatbuffer) -> list[int]:
    """Return the input of a model, and after it the same pixels in another layout, if there are."""
    found = [int(flatbuffer.graph.inputs[0])]
    while True:
        takers = [
            (name, each) for name, each in flatbuffer.operations() if found[-1] in each.inputs
        ]
        if len(takers) != 1 or takers[0][0] != "TRANSPOSE":
            return found
        found.append(int(takers[0][1].outputs[0]))


def _along(name: str, kernel: NDArray) -> tuple[int, ...]:
    """Return the shape of one number per output channel for a kernel in TFLite's order."""
    axis = 3 if name == "DEPTHWISE_CONV_2D" else 0
    return tuple(size if index == axis else 1 for index, size in enumerate(kernel.shape))
