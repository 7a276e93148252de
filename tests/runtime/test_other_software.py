"""Files of other software, which do not say what their input is."""

import pickle
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from keras_osnet._utils.constants import MEAN, STD
from keras_osnet.runtime import Embedder

pytestmark = pytest.mark.filterwarnings("ignore:.* holds no digest:UserWarning")

SIZE, DIM, STEP = (32, 16), 8, 4
KERNEL = np.random.default_rng(0).standard_normal((DIM, 3, STEP, STEP)).astype("float32")
ENGINES = ["onnxruntime", "openvino"]


def network(inputs):
    """Compute the network of these files with NumPy, from (n, height, width, 3)."""
    count, height, width, _ = inputs.shape
    patches = inputs.reshape(count, height // STEP, STEP, width // STEP, STEP, 3)
    vectors = np.einsum("niajbc,dcab->nd", patches, KERNEL.astype("float64"))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def expected(people, mean=MEAN, std=STD):
    """Return the embeddings of images that the caller normalizes."""
    return network((people / 255.0 - np.array(mean)) / np.array(std))


def write(
    path,
    *,
    layout="NCHW",
    shape=("batch", *SIZE, 3),
    output=(DIM,),
    dtype=TensorProto.FLOAT,
    others=(),
    opset=17,
    ir=9,
):
    """Write an ONNX file: a convolution, its average over the image, and a reshape to `output`.

    Args:
        path: The file.
        layout: Of the input.
        shape: Of the input as NHWC; text for a free side.
        output: Shape of the output without the batch; None for a graph that does not say.
        dtype: Of all tensors.
        others: Names of further outputs.
        opset: Version of the operators.
        ir: Version of the format.
    """
    real = TensorProto.FLOAT16 if dtype == TensorProto.FLOAT16 else TensorProto.FLOAT
    nodes = []
    tensor = "images"
    if dtype != real:
        nodes.append(helper.make_node("Cast", [tensor], ["real"], to=real))
        tensor = "real"
    if layout == "NHWC":
        nodes.append(helper.make_node("Transpose", [tensor], ["nchw"], perm=[0, 3, 1, 2]))
        tensor = "nchw"
    else:
        shape = (shape[0], shape[3], shape[1], shape[2])
    nodes += [
        helper.make_node("Conv", [tensor, "kernel"], ["maps"], strides=[STEP, STEP]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "sides"], ["features"]),
        *(helper.make_node("Neg", ["features"], [name]) for name in others),
    ]
    sides = np.array([0, *(output or (DIM,))], "int64")
    result = None if output is None else (shape[0], *output)
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("images", dtype, shape)],
        [helper.make_tensor_value_info(name, real, result) for name in ("features", *others)],
        [
            numpy_helper.from_array(KERNEL.astype(helper.tensor_dtype_to_np_dtype(real)), "kernel"),
            numpy_helper.from_array(sides, "sides"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", ["batch", 1, 4])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_layout_size_and_batch_are_those_of_the_graph(tmp_path, people, layout, batch, engine):
    path = write(tmp_path / "model.onnx", layout=layout, shape=(batch, *SIZE, 3))
    embedder = Embedder(path, engine, pixel_range="normalized")
    assert (embedder.metadata.layout, embedder.image_size, embedder.dim) == (layout, SIZE, DIM)
    assert embedder.metadata.batch == (None if batch == "batch" else batch)
    np.testing.assert_allclose(embedder(people), expected(people), rtol=0, atol=1e-5)
    assert embedder([]).shape == (0, DIM)


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
@pytest.mark.parametrize("output", [(DIM, 1, 1), (1, DIM), (1, 1, DIM), None])
def test_axes_of_length_1_are_dropped(tmp_path, people, output, suffix):
    """Such as (batch, dim, 1, 1); and a graph need not say what it gives."""
    path = write(tmp_path / "model.onnx", output=output)
    if suffix == ".xml":
        path = to_openvino(path)
    embedder = Embedder(path, pixel_range="normalized")
    assert embedder.dim == DIM
    np.testing.assert_allclose(embedder(people), expected(people), rtol=0, atol=1e-5)


def to_openvino(path):
    import openvino

    network = openvino.Core().read_model(path)
    openvino.save_model(network, path.with_suffix(".xml"), compress_to_fp16=False)
    return path.with_suffix(".xml")


def test_maps_are_refused(tmp_path):
    path = write(tmp_path / "maps.onnx", output=(2, DIM // 2))
    with pytest.raises(ValueError, match=r"one vector.*shape \(None, 2, 4\) in .*maps\.onnx"):
        Embedder(path, pixel_range="normalized")


def test_range_and_order_of_colors(tmp_path, people):
    path = write(tmp_path / "model.onnx")
    for arguments, inputs in (
        ({"pixel_range": "0-255"}, people / 1.0),
        ({"pixel_range": "0-1"}, people / 255.0),
        ({"pixel_range": "0-1", "channels": "BGR"}, people[..., ::-1] / 255.0),
    ):
        vectors = Embedder(path, **arguments)(people)
        np.testing.assert_allclose(vectors, network(inputs), rtol=0, atol=1e-5)
    half = Embedder(path, pixel_range="normalized", mean=[0.5] * 3, std=np.full(3, 0.25))
    np.testing.assert_allclose(
        half(people), expected(people, [0.5] * 3, [0.25] * 3), rtol=0, atol=1e-5
    )
    assert (half.metadata.mean, half.metadata.std) == ((0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize("engine", ENGINES)
def test_types_of_the_image_tensor(tmp_path, people, engine):
    half = write(tmp_path / "half.onnx", dtype=TensorProto.FLOAT16)
    vectors = Embedder(half, engine, pixel_range="normalized")(people)
    assert vectors.dtype == np.float32
    assert (vectors * expected(people)).sum(axis=1).min() > 0.9999
    whole = write(tmp_path / "whole.onnx", dtype=TensorProto.UINT8)
    embedder = Embedder(whole, engine, pixel_range="0-255")
    assert embedder.metadata.dtype == "uint8"
    np.testing.assert_allclose(embedder(people), network(people / 1.0), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=r"`pixel_range` must be \"0-255\".*uint8 in .*whole"):
        Embedder(whole, engine, pixel_range="0-1")


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_one_of_several_outputs(tmp_path, people, suffix):
    path = write(tmp_path / "model.onnx", others=("scores",))
    if suffix == ".xml":
        path = to_openvino(path)
    with pytest.raises(ValueError, match=r"`output` must name.*'features', 'scores'.*model\."):
        Embedder(path, pixel_range="normalized")
    with pytest.raises(ValueError, match=r"one of \['features', 'scores'\]. Received: 'vectors'"):
        Embedder(path, pixel_range="normalized", output="vectors")
    for output, sign in (("features", 1), ("scores", -1)):
        embedder = Embedder(path, pixel_range="normalized", output=output)
        np.testing.assert_allclose(embedder(people), sign * expected(people), rtol=0, atol=1e-5)


def test_images_of_any_memory_are_refused(tmp_path):
    path = write(tmp_path / "huge.onnx", shape=("batch", 1 << 20, 1 << 20, 3), output=None)
    with pytest.raises(ValueError, match=r"`image_size` must be at most 8192.*1048576.*huge"):
        Embedder(path, pixel_range="normalized")


def test_layouts_that_the_shape_does_not_tell(tmp_path, people):
    free = write(tmp_path / "free.onnx", shape=("batch", "height", "width", "channels"))
    arguments = {"pixel_range": "normalized", "image_size": SIZE}
    with pytest.raises(ValueError, match=r"`layout` must be given.*\(None, None, None, None\)"):
        Embedder(free, **arguments)
    vectors = Embedder(free, layout="NCHW", **arguments)(people)
    np.testing.assert_allclose(vectors, expected(people), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=r"`image_size` must be given"):
        Embedder(free, layout="NCHW", pixel_range="normalized")
    sided = write(tmp_path / "sided.onnx", shape=("batch", *SIZE, "channels"))
    assert Embedder(sided, pixel_range="normalized").metadata.layout == "NCHW"
    anywhere = write(tmp_path / "anywhere.onnx", shape=("batch", "height", "width", 3))
    assert Embedder(anywhere, **arguments).metadata.layout == "NCHW"
    with pytest.raises(ValueError, match=r"`layout` must have the three colors.*'NHWC'.*anywhere"):
        Embedder(write(anywhere), layout="NHWC", **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pixel_range": "0-1", "mean": MEAN, "std": STD}, r"`mean` and `std` need pixel_range"),
        ({"mean": MEAN}, r"`mean` and `std` must be given together.*std=None"),
        ({"mean": (123.7, 116.3, 103.5), "std": STD}, r"`mean` must be three.*divide.*123\.7"),
        ({"mean": MEAN, "std": (0.2, 0.2, 0)}, r"`std` must be three.*above 0.*Received"),
        ({"mean": 0.5, "std": STD}, r"`mean` must be three numbers.*Received: mean=0\.5"),
        ({"mean": "gray", "std": STD}, r"`mean` must be three numbers.*Received: mean='gray'"),
        ({"channels": "GBR"}, r"`channels` must be one of None, 'RGB', 'BGR'. Received: 'GBR'"),
        ({"layout": "NWHC"}, r"`layout` must be one of None, 'NHWC', 'NCHW'. Received: 'NWHC'"),
        ({"image_size": (16, 32)}, r"`image_size` must be given.*model of images \(32, 16\)"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, message):
    path = write(tmp_path / "model.onnx")
    with pytest.raises(ValueError, match=message):
        Embedder(path, **{"pixel_range": "normalized", **arguments})


@pytest.mark.parametrize(
    ("name", "value"),
    [("layout", "NCHW"), ("channels", "BGR"), ("mean", (0.1, 0.2, 0.3)), ("std", (0.1, 0.2, 0.3))],
)
def test_arguments_must_not_contradict_the_metadata(described, name, value):
    path = described("any.onnx")
    with pytest.raises(ValueError, match=f"`{name}` contradicts the metadata"):
        Embedder(path, **{name: value})
    same = getattr(Embedder(path).metadata, name)
    assert Embedder(path, **{name: same}).dim == DIM


def test_versions_of_onnx(tmp_path):
    for engine in ENGINES:
        old = write(tmp_path / "old.onnx", opset=11, ir=6)
        assert Embedder(old, engine, pixel_range="normalized").dim == DIM
    write(tmp_path / "new.onnx", opset=99, ir=99)  # OpenVINO tries whatever the version is
    with pytest.raises(ValueError, match=r"onnxruntime cannot load.*another version.*new\.onnx"):
        Embedder(tmp_path / "new.onnx", "onnxruntime", pixel_range="normalized")


def test_arguments_survive_pickling_and_are_shown(tmp_path, people):
    path = write(tmp_path / "model.onnx", others=("scores",))
    arguments = {
        **{"pixel_range": "normalized", "mean": (0.5,) * 3, "std": (0.25,) * 3},
        **{"channels": "BGR", "layout": "NCHW", "output": "scores", "device": "cpu"},
    }
    embedder = Embedder(path, threads=1, **arguments)
    again = pickle.loads(pickle.dumps(embedder))
    np.testing.assert_array_equal(again(people), embedder(people))
    assert repr(again) == repr(embedder)
    for name, value in arguments.items():
        assert f"{name}={value!r}" in repr(embedder)


def test_a_tflite_file_in_nchw_with_two_outputs(tmp_path, people, to_tflite):
    """Converters from torch keep torch's layout."""
    import keras

    image = keras.Input((3, *SIZE))
    maps = keras.layers.Permute((2, 3, 1))(image)
    maps = keras.layers.Conv2D(DIM, STEP, strides=STEP, use_bias=False)(maps)
    features = keras.layers.GlobalAveragePooling2D()(maps)
    model = keras.Model(image, [features, keras.layers.Rescaling(-1.0)(features)])
    model.layers[2].set_weights([KERNEL.transpose(2, 3, 1, 0)])
    to_tflite(model, tmp_path / "model.tflite")
    with pytest.raises(
        ValueError, match=r"`output` must name.*Received: \[.*\] in .*tflite"
    ) as error:
        Embedder(tmp_path / "model.tflite", pixel_range="normalized")
    names = re.findall(r"'(.*?)'", str(error.value))
    found = []
    for name in names:
        embedder = Embedder(tmp_path / "model.tflite", pixel_range="normalized", output=name)
        assert embedder.metadata.layout == "NCHW"
        vectors = embedder(people)
        found.append(np.sign((vectors * expected(people)).sum()))
        np.testing.assert_allclose(vectors, found[-1] * expected(people), rtol=0, atol=1e-5)
    assert sorted(found) == [-1, 1]


def test_two_inputs_are_refused(tmp_path):
    path = write(tmp_path / "model.onnx")
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("camera", TensorProto.FLOAT, [1]))
    model.graph.node.append(helper.make_node("Neg", ["camera"], ["place"]))
    model.graph.output.append(helper.make_tensor_value_info("place", TensorProto.FLOAT, [1]))
    onnx.save(model, path)
    for engine in ENGINES:
        with pytest.raises(ValueError, match=r"one input. Received: \['images', 'camera'\]"):
            Embedder(path, engine, pixel_range="normalized")
