"""The int8 ONNX file holds the numbers of the int8 `.tflite` file, and engines compute in them."""

import keras
import numpy as np
import onnx
import pytest
from int8_networks import cosines, lite_network, run, smooth_images
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from keras_osnet.deploy.conversion import write
from keras_osnet.deploy.int8 import quantize_int8, quantized_onnx
from keras_osnet.deploy.int8.flatbuffer import Flatbuffer
from keras_osnet.deploy.int8.quantization import RoundedModel

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="int8 is calibrated on TensorFlow"
)

STEP = 0.5
KERNEL = np.array([[[[2, -4, 127], [6, 0, -127]]]], np.float32) * STEP
BIAS = np.array([1, -2, 3], np.float32)


def rounded_layer(dtype="uint8"):
    """A pointwise convolution whose kernel lies on its grid, and images of pixels."""
    image = keras.Input((2, 2, 2), name="image")
    model = keras.Model(image, layers.Conv2D(3, 1, name="conv")(image))
    model.get_layer("conv").set_weights([KERNEL, BIAS])
    images = np.arange(32, dtype="uint8").reshape(4, 2, 2, 2) * 8
    return RoundedModel(model, {"conv": np.full(3, STEP)}, images, dtype)


def float_file(kernel=KERNEL, reader="Transpose"):
    """The ONNX file of that layer, with a ReLU, in the order of ONNX."""
    nodes = [
        helper.make_node("Transpose", ["image"], ["pixels"], perm=(0, 3, 1, 2)),
        helper.make_node("Conv", ["pixels", "kernel", "bias"], ["sums"]),
        helper.make_node("Relu", ["sums"], ["maps"]),
    ]
    if reader != "Transpose":
        nodes.insert(0, helper.make_node(reader, ["image"], ["other"]))
    constants = {"kernel": np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), "bias": BIAS}
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 2, 2, 2])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", 3, 2, 2])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    opset = [helper.make_opsetid("", 15)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def session(content, **options):
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    for name, value in options.items():
        setattr(settings, name, value)
    return onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])


def results(content, images):
    opened = session(content)
    (image,) = opened.get_inputs()
    dtype = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}[image.type]
    return opened.run(None, {image.name: images.astype(dtype)})[0]


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_layer_computes_on_its_grids(dtype):
    rounded = rounded_layer(dtype)
    found = results(quantized_onnx(float_file(), rounded), rounded.images)
    exact = np.maximum(rounded.images @ KERNEL[0, 0] + BIAS, 0)
    # Four images of 160, whose ranges are widened by nearly a quarter.
    step = exact.max() * (1 + 0.25 * (1 - 4 / 160)) / 255
    expected = np.rint(exact / step) * step
    np.testing.assert_allclose(found.transpose(0, 2, 3, 1), expected, rtol=1e-5)


def test_weights_are_int8_and_maps_uint8():
    model = onnx.load_from_string(quantized_onnx(float_file(), rounded_layer()))
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    producers = {name: node for node in model.graph.node for name in node.output}
    (convolution,) = (node for node in model.graph.node if node.op_type == "Conv")
    assert "Relu" not in {node.op_type for node in model.graph.node}
    pixels, kernel, bias = (producers[name].input for name in convolution.input)
    np.testing.assert_array_equal(
        constants[kernel[0]], (KERNEL / STEP).transpose(3, 2, 0, 1).astype("int8")
    )
    np.testing.assert_array_equal(constants[bias[0]], np.int32(BIAS / STEP))
    assert [constants[name].item() for name in pixels[1:]] == [1, 0]
    assert constants[bias[0]].dtype == np.int32
    (rounding,) = (node for node in model.graph.node if node.op_type == "QuantizeLinear")
    assert constants[rounding.input[2]].dtype == np.uint8
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8


def test_graphs_that_are_not_as_expected():
    with pytest.raises(RuntimeError, match="changed the kernel of conv"):
        quantized_onnx(float_file(KERNEL + STEP), rounded_layer())
    with pytest.raises(RuntimeError, match=r"read by convolutions\. Received: image to Sigmoid"):
        quantized_onnx(float_file(reader="Sigmoid"), rounded_layer())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """One network as an int8 flatbuffer and as int8 ONNX."""
    file = tmp_path_factory.mktemp("onnx") / "lite.onnx"
    network, images = lite_network(), smooth_images()
    write(network, ("image", "embedding"), file, "int8", images)
    return quantize_int8(network, images), file.read_bytes()


def numbers(content):
    """Kernels, and the steps and zero points of feature maps, of a flatbuffer or ONNX."""
    kernels, grids = set(), set()
    if content[4:8] == b"TFL3":
        flatbuffer = Flatbuffer(content)
        for name, operation in flatbuffer.operations():
            for index in (*operation.inputs, *operation.outputs):
                tensor = flatbuffer.graph.tensors[index]
                data = flatbuffer.model.buffers[tensor.buffer].data
                scales = getattr(tensor.quantization, "scale", None)
                if data is not None and tensor.type == 9:  # int8
                    codes = np.frombuffer(bytes(data), np.int8).reshape(tensor.shape)
                    if "CONV" in name:
                        kernels.add(tuple(np.sort(codes, axis=None)))
                elif scales is not None and tensor.type == 9:
                    zero = int(tensor.quantization.zeroPoint[0])
                    grids.add((f"{float(scales[0]):.4g}", zero))
        return kernels, grids
    graph = onnx.load_from_string(content).graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            codes, scale, zero = (constants.get(name) for name in node.input)
            if codes is None:
                grids.add((f"{scale.item():.4g}", int(zero) - 128))
            elif codes.ndim == 4 and codes.dtype == np.int8:
                kernels.add(tuple(np.sort(codes, axis=None)))
    return kernels, grids


@pytest.mark.large
def test_the_numbers_are_those_of_the_flatbuffer(written):
    (kernels, grids), (own_kernels, own_grids) = map(numbers, written)
    assert len(own_kernels) == 7
    assert own_kernels == kernels
    assert len(own_grids) >= 8
    assert own_grids == grids


@pytest.mark.large
def test_results_are_those_of_the_flatbuffer(written):
    flatbuffer, content = written
    images = smooth_images(seed=1)
    found = np.concatenate([results(content, image[None]) for image in images])
    # Measured: 0.99996 at least.
    assert cosines(found, run(flatbuffer, images)).min() > 0.9995


@pytest.mark.large
def test_every_convolution_of_maps_and_sum_is_computed_in_integers(written, tmp_path):
    file = tmp_path / "optimized.onnx"
    session(written[1], optimized_model_filepath=str(file), log_severity_level=3)
    kinds = [node.op_type for node in onnx.load(file).graph.node]
    # Preprocessing, stem, two pointwise, two depthwise, expand.
    assert kinds.count("QLinearConv") == 7
    assert kinds.count("QLinearAdd") == 1
    assert kinds.count("Conv") + kinds.count("FusedConv") == 4  # two layers of two gates
