"""Int8 files: what they keep of a model, on drawn people and on real ones."""

import tarfile

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet.data import ReidDataset, split_by_camera
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.deploy import export, fold_batch_norm
from keras_osnet.deploy.int8 import quantize_int8
from keras_osnet.deploy.int8.channel_equalization import equalize
from keras_osnet.deploy.int8.graph import prepared
from keras_osnet.models import load_model
from keras_osnet.runtime import Embedder, read_metadata
from keras_osnet.runtime.engines import open_engine
from keras_osnet.runtime.read_metadata import read_model_file
from keras_osnet.synthetic import synthetic_people

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="int8 is calibrated on TensorFlow"
)

IMAGES = synthetic_people(16, cameras=2, views=1, image_size=(64, 32)).images


def small(**arguments):
    keras.utils.set_random_seed(1)
    arguments = {"head": "embedding", "streams": 2, "depths": (1, 1, 1), **arguments}
    return keras_osnet.OSNet(0.25, input_shape=(64, 32, 3), include_preprocessing=True, **arguments)


def test_rescaling_changes_nothing_in_float():
    twin = prepared(fold_batch_norm(small()))
    kernels = [layer.get_weights()[0] for layer in twin.layers if layer.get_weights()]
    before = twin.predict(IMAGES.astype("float32"), verbose=0)
    equalize(twin, IMAGES)
    after = twin.predict(IMAGES.astype("float32"), verbose=0)
    np.testing.assert_allclose(after, before, atol=1e-5 * np.abs(before).max())
    changed = [layer.get_weights()[0] for layer in twin.layers if layer.get_weights()]
    assert any(
        np.abs(one - other).max() > 0.01 for one, other in zip(kernels, changed, strict=True)
    )


@pytest.mark.large
@pytest.mark.parametrize(
    "arguments", [{}, {"variant": "ibn"}, {"fusion": "addition"}, {"streams": 4}], ids=str
)
def test_a_file_is_small_and_close(tmp_path, arguments):
    model = small(**arguments)
    path = tmp_path / "m.tflite"
    report = export(model, path, quantization="int8", calibration=IMAGES)
    plain = export(model, tmp_path / "plain.tflite", images=IMAGES)
    assert report.cosine_median > 0.99
    assert report.size_bytes < 0.6 * plain.size_bytes
    assert plain.cosine_min > report.cosine_min


@pytest.mark.large
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_another_layout_gives_the_same_numbers(tmp_path, dtype):
    vectors = []
    for layout in ("NHWC", "NCHW"):
        path = tmp_path / f"{layout}.tflite"
        settings = {"quantization": "int8", "calibration": IMAGES, "layout": layout, "dtype": dtype}
        export(small(), path, **settings)
        vectors.append(Embedder(path).embed(IMAGES))
    np.testing.assert_array_equal(*vectors)


OTHER_OPERATIONS = [
    pytest.param(
        {"variant": "ibn"}, {"layout": "NCHW", "dtype": "float32"}, marks=pytest.mark.large
    ),
    *(
        pytest.param(*each, marks=pytest.mark.exhaustive)
        for each in (
            ({"fusion": "addition"}, {"layout": "NCHW"}),
            ({"fusion": "concatenation"}, {"dtype": "float32"}),
            ({"head": "attribute", "classes": 5}, {}),
            ({"head": "classification", "classes": 5}, {"pixel_range": "0-1", "dtype": "float32"}),
        )
    ),
]


@pytest.mark.parametrize(("architecture", "tensor"), OTHER_OPERATIONS, ids=str)
def test_every_format_computes_the_same(tmp_path, architecture, tensor):
    model = small(**architecture)
    found = {}
    for suffix in (".tflite", ".onnx", ".xml"):
        file = tmp_path / f"m{suffix}"
        report = export(model, file, quantization="int8", calibration=IMAGES, **tensor)
        assert report.quantization == read_metadata(file).quantization == "int8"
        opened = read_model_file(file)
        engine = open_engine(opened, "auto", precision="float32", threads=1)
        found[suffix] = engine.run(
            opened.metadata.to_input(IMAGES).astype(opened.metadata.dtype, copy=False)
        )
    for suffix in (".onnx", ".xml"):
        # Measured: 0.99994 at least.
        assert cosines(found[suffix], found[".tflite"]).min() > 0.999


def cosines(one, other):
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / norms


@pytest.mark.large
def test_the_same_images_give_the_same_file():
    model = fold_batch_norm(small(streams=1))
    assert quantize_int8(model, IMAGES) == quantize_int8(model, IMAGES)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES[:7], r"at least 8 images.*Received: 7"),
        (IMAGES[:, :32], r"\(n, 64, 32, 3\).*Received: shape \(32, 32, 32, 3\)"),
        (IMAGES.astype("int64"), r"uint8 or float32.*Received: .*int64"),
        (np.full((9, 64, 32, 3), np.nan, "float32"), r"finite"),
        (np.full((9, 64, 32, 3), 7, "uint8"), r"one color"),
    ],
)
def test_images_that_tell_nothing(images, message):
    with pytest.raises(ValueError, match=message):
        quantize_int8(fold_batch_norm(small(streams=1)), images)


def test_a_batch_norm_must_be_folded_first():
    with pytest.raises(ValueError, match="without batch norm"):
        quantize_int8(small(streams=1), IMAGES)


@pytest.mark.exhaustive
def test_real_weights_on_real_images(reference, tmp_path):
    """One query of 320 lost at most; calibrated on the first ten people."""
    with tarfile.open(reference / "data" / "pku_reid_40.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    people = read_folder(tmp_path / "pku_reid")
    first = sorted({person.identity for person in people})[:10]
    path = reference / "weights" / "osnet_x0_25_msmt17.pth"
    model = load_model(path, head="embedding", include_preprocessing=True)
    query, gallery = split_by_camera(people)
    with pytest.warns(UserWarning, match="are calibration images as well"):
        report = export(
            model,
            tmp_path / "m.tflite",
            quantization="int8",
            calibration=[person.path for person in people if person.identity in first],
            images=ReidDataset("pku", train=(), query=tuple(query), gallery=tuple(gallery)),
        )
    assert report.rank_1 >= 0.7687
    assert report.mean_average_precision >= 0.615
    assert report.cosine_median >= 0.997
    assert report.cosine_min >= 0.985
    assert report.size_bytes <= 400_000
