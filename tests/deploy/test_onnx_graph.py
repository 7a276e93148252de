"""Changes to the graph of an ONNX file."""

import numpy as np
import pytest
from tiny_onnx import SIZE, write_tiny_onnx

from keras_osnet.deploy.onnx_graph import rename_ends

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize(
    "names", [("pixels", "result"), ("maps", "kernel"), ("kernel", "maps"), ("vector", "image")]
)
def test_names_of_tensors_inside(names, tmp_path):
    path = write_tiny_onnx(tmp_path / "tiny.onnx")
    images = np.random.default_rng(0).random((2, 3, *SIZE), np.float32)
    (expected,) = onnxruntime.InferenceSession(path).run(None, {"image": images})
    model = onnx.load(path)
    rename_ends(model.graph, names)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    np.testing.assert_array_equal(session.run([names[1]], {names[0]: images})[0], expected)
    assert session.get_inputs()[0].shape[0] == "batch"
