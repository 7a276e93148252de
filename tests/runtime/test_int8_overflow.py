"""The product that shows whether engines add int8 products correctly."""

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
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

    assert int8_overflow.onnxruntime_overflows(Runtime) is expected


def test_no_overflow_on_processors_with_vnni():
    """Rounding to bfloat16, OpenVINO's default on processors with AMX units, is no overflow."""
    information = Path("/proc/cpuinfo")
    if not information.exists() or not re.search(r"avx(512)?_vnni", information.read_text()):
        pytest.skip("this processor is not known to have VNNI")
    assert not int8_overflow.openvino_overflows(openvino)
    assert not int8_overflow.onnxruntime_overflows(onnxruntime)


def test_openvino_can_compute_in_float():
    network = int8_overflow._convolution(openvino)
    core = openvino.Core()
    kinds = {}
    for name, settings in (("integers", {}), ("float", int8_overflow.OPENVINO_IN_FLOAT)):
        compiled = core.compile_model(network, "CPU", settings)
        kinds[name] = {
            each.get_rt_info()["runtimePrecision"].astype(str)
            for each in compiled.get_runtime_model().get_ops()
            if each.get_rt_info()["layerType"].astype(str) == "Convolution"
        }
    assert kinds["integers"] == {"u8"}
    assert "u8" not in kinds["float"]
    result = compiled(np.full((1, 16, 4, 4), 255, np.float32))[0]
    np.testing.assert_array_equal(result, np.full((1, 16, 4, 4), 16 * 255 * 127))
