"""Convert a float ONNX file to int8: `QuantizeLinear` and `DequantizeLinear` around its nodes.

Engines compute in integers what stands between the two. Feature maps are uint8 and weights int8,
which is the pair that processors have instructions for; they are the numbers of the int8 `.tflite`
file.
"""

from typing import Any

import numpy as np
from keras import layers
from numpy.typing import NDArray

from keras_osnet._utils.optional import require
from keras_osnet.deploy.int8.quantization import RoundedModel
from keras_osnet.deploy.int8.rounding import LARGEST, PIXELS, Grid, widened

_PURPOSE = '`quantization="int8"`'

_SAME_SCALE = ("MaxPool", "Pad")
"""Operations whose results are numbers of their input, and lie on its grid."""

_WITHOUT_KERNEL = ("Add", "Concat", *_SAME_SCALE)
"""Operations on feature maps that are computed in integers besides convolutions."""

_UINT8_ZERO = 128
"""uint8 code of the int8 code 0."""

_LARGEST_BIAS = 2**31 - 1


def quantized_onnx(content: bytes, rounded: RoundedModel) -> bytes:
    """Convert a float ONNX file, whose weights already lie on their grids, to int8.

    Args:
        content: Of the file that was exported from `rounded.model`; opset 13 or later.
        rounded: The model, the steps of its kernels, and the images that give the ranges.

    Returns:
        The content of the new file, whose image has the type of the model before rounding.

    Raises:
        RuntimeError: The converter has changed a kernel, or reads uint8 pixels in another way.
        ImportError: onnx or onnxruntime is not installed.
    """
    graph = _FloatGraph(content, rounded)
    ranges = _measured_ranges(graph, rounded.images)
    grids = {name: Grid.spanning(*ranges[source]) for name, source in graph.held.items()}
    return _Writer(graph, grids).write(takes_pixels=rounded.dtype == "uint8")


class _FloatGraph:
    """A float graph, and the tensors of it that int8 holds.

    Attributes:
        onnx: The package.
        model: The ModelProto.
        nodes: Its nodes, in the order of computation.
        constants: The values of its initializers, by name.
        kernels: Of each rounded kernel, by name: the axis of the output channels, and their steps.
        results: Of each node computed in integers, by its output: the tensor that is rounded, which
            is that output or, where a ReLU follows, the ReLU's.
        held: Each tensor that is rounded, and the one whose range it has.
        pixels: The image, and the same image in another layout.
    """

    def __init__(self, content: bytes, rounded: RoundedModel) -> None:
        self.onnx = require("onnx", _PURPOSE, "deploy")
        self.model = self.onnx.load_from_string(content)
        self.nodes = list(self.model.graph.node)
        self.constants = {
            each.name: self.onnx.numpy_helper.to_array(each)
            for each in self.model.graph.initializer
        }
        self.kernels = self._kernels(rounded)
        self.results = self._results()
        self.held = self._held()
        self.pixels = {self.model.graph.input[0].name}
        for node in self.nodes:
            if node.op_type == "Transpose" and node.input[0] in self.pixels:
                self.pixels.add(node.output[0])

    def _kernels(self, rounded: RoundedModel) -> dict[str, tuple[int, NDArray]]:
        """Find the rounded kernels by their values."""
        by_values: dict[bytes, list[str]] = {}
        for name, values in self.constants.items():
            by_values.setdefault(values.tobytes(), []).append(name)
        kernels: dict[str, tuple[int, NDArray]] = {}
        for layer, scales in rounded.scales.items():
            forms = _in_onnx_order(rounded.model.get_layer(layer))
            found = [
                (name, axis)
                for kernel, axis in forms
                for name in by_values.get(kernel.tobytes(), ())
                if self.constants[name].shape == kernel.shape
            ]
            if not found:
                raise RuntimeError(f"the converter has changed the kernel of {layer}")
            kernels |= {name: (axis, scales.astype(np.float32)) for name, axis in found}
        return kernels

    def _results(self) -> dict[str, str]:
        """Choose the nodes to compute in integers, those of `graph.steps`."""
        readers: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        maps = self._maps()
        results: dict[str, str] = {}
        for node in self.nodes:
            (output,) = node.output
            if node.op_type == "Conv":
                integer = node.input[1] in self.kernels
            else:
                integer = node.op_type in _WITHOUT_KERNEL and output in maps
                if node.op_type == "Add":
                    integer = integer and set(results.values()).issuperset(node.input)
            if integer:
                after = readers.get(output, [])
                fused = (
                    node.op_type in ("Conv", "Add")
                    and len(after) == 1
                    and after[0].op_type == "Relu"
                )
                results[output] = after[0].output[0] if fused else output
        return results

    def _held(self) -> dict[str, str]:
        held: dict[str, str] = {}
        for node in self.nodes:
            if node.output[0] not in self.results:
                continue
            all_inputs = node.op_type in ("Add", "Concat")
            for name in node.input if all_inputs else node.input[:1]:
                if name not in self.constants:
                    held.setdefault(name, name)
            result = self.results[node.output[0]]
            held[result] = held[node.input[0]] if node.op_type in _SAME_SCALE else result
        return held

    def _maps(self) -> set[str]:
        """Return the names of the feature maps of more than one pixel."""
        inferred = self.onnx.shape_inference.infer_shapes(self.model).graph
        shapes = {
            each.name: [side.dim_value for side in each.type.tensor_type.shape.dim]
            for each in (*inferred.value_info, *inferred.output)
        }
        return {name for name, shape in shapes.items() if len(shape) == 4 and shape[2:] != [1, 1]}


def _measured_ranges(graph: _FloatGraph, images: NDArray) -> dict[str, tuple[float, float]]:
    """Run the float graph and measure the range of each tensor that int8 holds.

    Returns:
        (lowest, highest) by the tensor's name.
    """
    runtime = require("onnxruntime", _PURPOSE, "deploy")
    measured = dict.fromkeys(sorted(set(graph.held.values())))
    ranges: dict[str, tuple[float, float]] = {}
    if images.dtype == np.uint8:
        ranges = {name: PIXELS for name in measured if name in graph.pixels}
    names = [name for name in measured if name not in ranges]
    probe, helper = graph.onnx.ModelProto(), graph.onnx.helper
    probe.CopyFrom(graph.model)
    ends = []
    for name in names:
        for reduction in ("ReduceMin", "ReduceMax"):
            ends.append(f"{name}/{reduction}")
            probe.graph.node.append(helper.make_node(reduction, [name], ends[-1:], keepdims=0))
            probe.graph.output.append(
                helper.make_tensor_value_info(ends[-1], graph.onnx.TensorProto.FLOAT, [])
            )
    session = runtime.InferenceSession(
        probe.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    image = probe.graph.input[0].name
    found = np.array([session.run(ends, {image: each[None].astype("float32")}) for each in images])
    lowest, highest = found[:, ::2].min(axis=0), found[:, 1::2].max(axis=0)
    for name, low, high in zip(names, lowest, highest, strict=True):
        ranges[name] = widened(float(low), float(high), len(images))
    return ranges


class _Writer:
    """Writes a float graph as one of integers.

    A tensor that is rounded keeps its name behind `DequantizeLinear`, and so does a kernel: nodes
    read the same names as before.

    Args:
        graph: The graph, which is changed.
        grids: Of the tensors to round, by name.
    """

    def __init__(self, graph: _FloatGraph, grids: dict[str, Grid]) -> None:
        self._graph, self._onnx, self._grids = graph, graph.onnx, grids
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []

    def write(self, *, takes_pixels: bool) -> bytes:
        """Return the content of the file."""
        graph = self._graph.model.graph
        pixels = self._graph.pixels if takes_pixels else set()
        self._check_pixels(pixels)
        for name in self._graph.kernels:
            self._add_kernel(name)
        relus = {result for name, result in self._graph.results.items() if name != result}
        self._add_image(graph.input[0].name, pixels)
        for node in self._graph.nodes:
            name = node.output[0]
            if name in relus:  # not needed: the uint8 code 0 is the number 0
                continue
            if name in self._graph.results and node.op_type == "Conv":
                self._round_bias(node)
            self._nodes.append(node)
            result = self._graph.results.get(name, name)
            if result in self._grids:
                node.output[0] = f"{result}/computed"
                self._add_rounding(node.output[0], result, is_rounded=result in pixels)
        if takes_pixels:
            graph.input[0].type.tensor_type.elem_type = self._onnx.TensorProto.UINT8
        return self._assembled()

    def _check_pixels(self, pixels: set[str]) -> None:
        for node in self._graph.nodes:
            for name in pixels.intersection(node.input):
                if node.op_type != "Transpose" and node.output[0] not in self._graph.results:
                    raise RuntimeError(
                        f"pixels should be read by convolutions. Received: {name} to {node.op_type}"
                    )

    def _add_image(self, image: str, pixels: set[str]) -> None:
        """Round the image if convolutions read it as it is."""
        if image in self._grids:
            rounded = f"{image}/rounded"
            self._grids[rounded] = self._grids[image]
            self._add_rounding(image, rounded, is_rounded=image in pixels)
            for node in self._graph.nodes:
                node.input[:] = [rounded if name == image else name for name in node.input]

    def _add_rounding(self, source: str, result: str, *, is_rounded: bool) -> None:
        """Add the nodes from a tensor to its nearest numbers on the grid."""
        grid = self._grids[result]
        steps = [
            self._constant(np.float32(grid.scale)),
            self._constant(np.uint8(grid.zero_point + _UINT8_ZERO)),
        ]
        codes = source
        if not is_rounded:
            codes = f"{result}/codes"
            self._add("QuantizeLinear", [source, *steps], codes)
        self._add("DequantizeLinear", [codes, *steps], result)

    def _add_kernel(self, name: str) -> None:
        axis, scales = self._graph.kernels[name]
        kernel = self._graph.constants.pop(name)
        steps = scales.reshape([-1 if side == axis else 1 for side in range(kernel.ndim)])
        codes = np.clip(np.rint(kernel / steps), -LARGEST, LARGEST).astype(np.int8)
        zeros = np.zeros(len(scales), np.int8)
        self._add("DequantizeLinear", map(self._constant, (codes, scales, zeros)), name, axis=axis)

    def _round_bias(self, node: Any) -> None:
        """Store the bias of a convolution as int32, with the steps of its sums of products."""
        scales = (
            np.float32(self._grids[node.input[0]].scale) * self._graph.kernels[node.input[1]][1]
        )
        bias = self._graph.constants[node.input[2]] / scales.astype(np.float64)
        codes = np.clip(np.rint(bias), -_LARGEST_BIAS, _LARGEST_BIAS).astype(np.int32)
        node.input[2] = f"{node.output[0]}/bias"
        zeros = np.zeros(len(scales), np.int32)
        self._add(
            "DequantizeLinear", map(self._constant, (codes, scales, zeros)), node.input[2], axis=0
        )

    def _add(self, kind: str, inputs: Any, output: str, **attributes: Any) -> None:
        self._nodes.append(self._onnx.helper.make_node(kind, list(inputs), [output], **attributes))

    def _constant(self, values: Any) -> str:
        """Return the name of a new initializer.

        Not the same one for the same values: onnxruntime replaces those of weights one by one where
        it is asked for `session.x64quantprecision`, and fails at the second time.
        """
        name = f"constant/{len(self._initializers)}"
        self._initializers.append(self._onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def _assembled(self) -> bytes:
        """Return the file, with short names, which would take a third of it at width 0.25."""
        model = self._graph.model
        graph = model.graph
        read = {name for node in self._nodes for name in node.input}
        kept = [
            each for each in graph.initializer if each.name in read & set(self._graph.constants)
        ]
        initializers = [*kept, *self._initializers]
        del graph.value_info[:], graph.node[:], graph.initializer[:]
        short = {each.name: each.name for each in (*graph.input, *graph.output)}
        for node in self._nodes:
            node.name = ""
            for names in (node.input, node.output):
                names[:] = [name and short.setdefault(name, f"t{len(short)}") for name in names]
        for each in initializers:
            each.name = short[each.name]
        graph.node.extend(self._nodes)
        graph.initializer.extend(initializers)
        self._onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def _in_onnx_order(layer: Any) -> list[tuple[NDArray[np.float32], int]]:
    """Return the forms in which ONNX may store a kernel, each with the axis of its outputs."""
    kernel = np.asarray(layer.kernel)
    if isinstance(layer, layers.Dense):
        return [(kernel, 1), (kernel.T, 0)]
    if isinstance(layer, layers.DepthwiseConv2D):
        return [(kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2]), 0)]
    return [(kernel.transpose(3, 2, 0, 1), 0)]
