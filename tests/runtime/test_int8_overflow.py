"""The product that shows whether onnxruntime adds int8 products correctly."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from keras_osnet.runtime.engines import int8_overflow


def test_the_file_is_a_product_of_the_largest_numbers():
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["c"])],
        "g",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [1, 4])],
        [helper.make_tensor_value_info("c", TensorProto.INT32, [1, 1])],
        [numpy_helper.from_array(np.full((4, 1), 127, np.int8), "b")],
    )
    opset = [helper.make_opsetid("", 10)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=5, producer_name="")
    assert onnx.load_from_string(int8_overflow._PRODUCT) == model


class Session:
    """A processor's sum of four products, in place of onnxruntime's."""

    def __init__(self, *_, **__):
        pass

    def run(self, *_):
        return [np.array([[self.total]])]


@pytest.mark.parametrize(("total", "expected"), [(4 * 255 * 127, False), (65534, True)])
def test_saturated_sums_are_noticed(total, expected):
    class Runtime:
        InferenceSession = type("InferenceSession", (Session,), {"total": total})

    assert int8_overflow.overflows(Runtime) is expected
