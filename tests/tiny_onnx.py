"""A model file that is written in milliseconds, without Keras."""

import numpy as np
import pytest

SIZE = (32, 16)


def write_tiny_onnx(path, seed=0):
    """Write an ONNX file of pixels (0-1) to 8 numbers; seeds give different models."""
    onnx = pytest.importorskip("onnx")
    kernel = np.random.default_rng(seed).normal(size=(8, 3, 4, 4)).astype("float32")
    image = onnx.helper.make_tensor_value_info("image", 1, ["n", 3, *SIZE])
    vector = onnx.helper.make_tensor_value_info("vector", 1, ["n", 8, 1, 1])
    nodes = [
        onnx.helper.make_node("Conv", ["image", "kernel"], ["maps"], strides=[4, 4]),
        onnx.helper.make_node("GlobalAveragePool", ["maps"], ["vector"]),
    ]
    weights = [onnx.numpy_helper.from_array(kernel, "kernel")]
    graph = onnx.helper.make_graph(nodes, "tiny", [image], [vector], weights)
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path
