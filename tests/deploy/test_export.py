"""One call from a model to a file that is proven, described and whole."""

import json
import os
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet._utils.files import temporary_path
from keras_osnet.data import ReidDataset, split_by_camera
from keras_osnet.deploy import FidelityError, export, litert_embedder
from keras_osnet.runtime import Embedder, read_metadata
from keras_osnet.runtime.engines import open_engine
from keras_osnet.runtime.read_metadata import read_model_file
from keras_osnet.synthetic import synthetic_people, write_synthetic_people

IMAGES = synthetic_people(6, views=1, image_size=(64, 32)).images
WRITTEN = {
    ".tflite": ["m.tflite", "m.tflite.json"],
    ".onnx": ["m.onnx", "m.onnx.json"],
    ".xml": ["m.bin", "m.xml", "m.xml.json"],
}

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a process each under other backends"
)


def small(**arguments):
    keras.utils.set_random_seed(1)
    arguments = {"head": "embedding", "streams": 2, **arguments}
    return keras_osnet.OSNet(0.25, input_shape=(64, 32, 3), depths=(1, 1, 1), **arguments)


@pytest.fixture(scope="module")
def model():
    return small()


def run(file, images):
    return open_engine(read_model_file(file), "auto", precision="float32", threads=1).run(images)


@pytest.mark.parametrize(
    "suffix",
    [".onnx", *(pytest.param(each, marks=pytest.mark.large) for each in (".tflite", ".xml"))],
)
def test_another_image_tensor(model, suffix, tmp_path):
    plain, turned = tmp_path / f"plain{suffix}", tmp_path / f"turned{suffix}"
    export(model, plain)
    export(
        model,
        turned,
        layout="NCHW",
        channels="BGR",
        dtype="float32",
        pixel_range="0-1",
        names=("images", "reid_embedding"),
    )
    metadata = read_metadata(turned)
    assert (metadata.layout, metadata.channels, metadata.pixel_range) == ("NCHW", "BGR", "0-1")
    opened = open_engine(read_model_file(turned), "auto", precision="float32", threads=1)
    assert opened.input_shape[1:] == (3, 64, 32)
    np.testing.assert_allclose(
        Embedder(turned).embed(IMAGES), Embedder(plain).embed(IMAGES), atol=1e-6
    )
    if suffix == ".onnx":
        import onnx

        graph = onnx.load(turned).graph
        assert [graph.input[0].name, graph.output[0].name] == ["images", "reid_embedding"]
        assert "Transpose" not in {node.op_type for node in graph.node}


@pytest.mark.parametrize("suffix", WRITTEN)
@pytest.mark.parametrize(
    ("batch", "dtype"),
    [(1, "uint8"), pytest.param(None, "float32", marks=pytest.mark.large)],
)
def test_the_file_is_the_model(model, suffix, batch, dtype, tmp_path):
    file = tmp_path / f"m{suffix}"
    report = export(
        model, file, batch=batch, dtype=dtype, images=IMAGES, license="MIT", source="here"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == WRITTEN[suffix]
    expected = keras.ops.convert_to_numpy(model(keras_osnet.preprocess_input(IMAGES)))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    vectors = run(file, IMAGES.astype(dtype))
    assert np.abs(vectors - expected).max() / expected.max() < 1e-4
    assert report.max_relative_difference < 1e-4
    assert report.images == len(IMAGES)
    assert not report.synthetic
    written = sum((tmp_path / name).stat().st_size for name in WRITTEN[suffix][:-1])
    assert report.size_bytes == written
    saved = json.loads((tmp_path / f"m{suffix}.json").read_text("utf-8"))
    assert saved["cosine_min"] == report.cosine_min
    metadata = read_metadata(file)
    assert (metadata.batch, metadata.dtype) == (batch, dtype)
    assert (metadata.license, metadata.source) == ("MIT", "here")
    engine = open_engine(read_model_file(file), "auto", precision="float32", threads=1)
    assert (engine.input_shape[0], engine.input_dtype) == (batch, dtype)
    np.testing.assert_allclose(Embedder(file).embed(IMAGES), expected, atol=1e-5)


@pytest.mark.large
@pytest.mark.parametrize(
    ("pixel_range", "quantization"), [("0-1", None), ("normalized", None), ("0-1", "int8")]
)
def test_other_pixel_ranges(model, pixel_range, quantization, tmp_path):
    calibration = IMAGES[:, :, ::-1] if quantization else None
    report = export(
        model,
        tmp_path / "m.tflite",
        pixel_range=pixel_range,
        dtype="float32",
        quantization=quantization,
        calibration=calibration,
        images=IMAGES,
    )
    assert report.cosine_min > (0.98 if quantization else 0.99999)
    embedder = Embedder(tmp_path / "m.tflite")
    assert embedder.metadata.pixel_range == pixel_range
    expected = keras.ops.convert_to_numpy(model(keras_osnet.preprocess_input(IMAGES)))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    cosines = (embedder.embed(IMAGES) * expected).sum(axis=1)
    assert cosines.min() == pytest.approx(report.cosine_min, abs=1e-5)


def test_signature_and_labels(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    file = tmp_path / "m.tflite"
    attributes = small(head="attribute", classes=3, streams=1, fusion="addition")
    report = export(attributes, file, labels=["hat", "bag", "naïve"])
    assert Interpreter(str(file)).get_signature_list() == {
        "serving_default": {"inputs": ["image"], "outputs": ["attributes"]}
    }
    with zipfile.ZipFile(file) as archive:
        assert archive.read("labels.txt").decode("utf-8") == "hat\nbag\nnaïve\n"
        assert json.loads(archive.read("keras_osnet.json"))["output"]["labels"][0] == "hat"
    assert report.synthetic
    assert report.agreement == 1
    assert report.max_score_difference < 1e-5
    assert report.rank_1 is None


@pytest.mark.large
@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_names_in_other_formats(model, suffix, tmp_path):
    file = tmp_path / f"m{suffix}"
    export(model, file, images=IMAGES)
    if suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(file)
        names = [each.name for each in (*session.get_inputs(), *session.get_outputs())]
    else:
        import openvino

        read = openvino.Core().read_model(file)
        names = [each.get_any_name() for each in (*read.inputs, *read.outputs)]
    assert names == ["image", "embedding"]


@pytest.mark.parametrize(
    ("quantization", "least_cosine", "largest"), [("float16", 0.9999, 0.75), ("dynamic", 0.98, 0.8)]
)
def test_smaller_files(model, quantization, least_cosine, largest, tmp_path):
    whole = export(model, tmp_path / "whole.tflite", images=IMAGES)
    report = export(model, tmp_path / "m.tflite", quantization=quantization, images=IMAGES)
    assert report.quantization == quantization
    assert read_metadata(tmp_path / "m.tflite").quantization == quantization
    assert least_cosine < report.cosine_min < 1
    assert report.size_bytes < largest * whole.size_bytes
    assert report.off_xnnpack == whole.off_xnnpack == ("1 × CAST",)
    assert report.off_gpu == ("1 × CAST",)


def test_the_same_model_gives_the_same_bytes(model, tmp_path):
    for name in ("a.tflite", "b.tflite"):
        export(model, tmp_path / name, images=IMAGES)
    assert (tmp_path / "a.tflite").read_bytes() == (tmp_path / "b.tflite").read_bytes()


def test_what_a_file_may_lose(model, tmp_path):
    people = write_synthetic_people(tmp_path, 4, views=2, image_size=(64, 32))
    query, gallery = split_by_camera(people)
    dataset = ReidDataset("drawn", (), tuple(query), tuple(gallery))
    folder = tmp_path / "out"
    folder.mkdir()
    report = export(model, folder / "m.tflite", images=dataset, max_drop=0.5)
    assert report.rank_1 == report.rank_1_model > 0
    assert abs(report.mean_average_precision - report.mean_average_precision_model) < 1e-6
    assert report.images == len(people)
    before = (folder / "m.tflite").read_bytes()
    with pytest.raises(
        FidelityError, match=r"minimum cosine 0\.\d+ percentage points.*max_drop=0\.0"
    ) as e:
        export(model, folder / "m.tflite", quantization="dynamic", images=IMAGES, max_drop=0.0)
    assert e.value.report.cosine_min < 1
    assert (folder / "m.tflite").read_bytes() == before
    assert len(list(folder.iterdir())) == 2


def test_calibration_is_asked_for(model, tmp_path):
    file = tmp_path / "m.tflite"
    with pytest.raises(ValueError, match="needs `calibration`"):
        export(model, file, quantization="int8")
    with pytest.raises(ValueError, match=r"at least 8 images.*Received: 7"):
        export(model, file, quantization="int8", calibration=IMAGES[:7])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"path": "m.pb"}, ValueError, r"`path` must end in \.tflite, .*\.xml. Received: .*m\.pb"),
        ({"path": "m.xml", "quantization": "dynamic"}, ValueError, r"is for \.tflite files.*\.xml"),
        ({"path": "m.onnx", "quantization": "float16"}, ValueError, r"\.tflite and \.xml files"),
        ({"path": "m.onnx", "calibration": IMAGES}, ValueError, "`calibration` is for .*None"),
        ({"path": "no/m.tflite"}, FileNotFoundError, "There is no folder"),
        ({"quantization": "int4"}, ValueError, "`quantization` must be one of .*'int4'"),
        ({"max_drop": -1}, ValueError, "`max_drop` must be a number of at least 0.*-1"),
        ({"max_drop": "1"}, ValueError, "`max_drop` must be a number.*Received: '1'"),
        ({"source": 3}, ValueError, "`source` must be text. Received: 3"),
        ({"normalize": "no"}, ValueError, "`normalize` must be one of True, False.*'no'"),
        ({"labels": "abc"}, ValueError, "`labels` must be a list of texts.*Received: 'abc'"),
        ({"max_drop": float("nan")}, ValueError, "`max_drop` must be a number of at least 0.*nan"),
        ({"images": 3}, ValueError, "`images` must be a folder.*Received: 3"),
        ({"images": IMAGES / 255}, ValueError, "`images` as an array .*float64"),
        ({"dtype": "int8"}, ValueError, "`dtype` must be one of"),
        (
            {"pixel_range": "0-1", "dtype": "uint8"},
            ValueError,
            '`dtype` must be "float32" for .*"0-1"',
        ),
    ],
)
def test_mistakes(model, arguments, error, message, tmp_path):
    arguments = {"path": "m.tflite", **arguments}
    path = tmp_path / arguments.pop("path")
    with pytest.raises(error, match=message):
        export(model, path, **arguments)
    assert not list(tmp_path.iterdir())


def test_a_model_that_embeds_at_once(model):
    expected = keras.ops.convert_to_numpy(model(keras_osnet.preprocess_input(IMAGES)))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(litert_embedder(model, threads=1)(IMAGES), expected, atol=1e-5)
    with pytest.raises(ValueError, match=r"must end in an embedding.*ends in predictions"):
        litert_embedder(small(head="classification", classes=3, streams=1, fusion="addition"))


OTHER_BACKEND = """
import keras, keras_osnet, numpy as np, sys
from keras_osnet.deploy import export, litert_embedder
model = keras_osnet.OSNet(
    0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=2
)
report = export(model, sys.argv[1])
assert report.max_relative_difference < 1e-4, report
assert report.off_gpu == ("1 × CAST",), report
print(keras.backend.backend(), report.engine)
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_models_of_other_backends(backend, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", OTHER_BACKEND, str(tmp_path / "m.tflite")],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == f"{backend} litert"
    assert read_metadata(tmp_path / "m.tflite").dim == 512


def test_nothing_is_written_of_a_model_that_computes_no_numbers(tmp_path):
    """Its weights are finite, and their products are not."""
    image = keras.Input((64, 32, 3), name="image")
    maps = keras.layers.Rescaling(1 / 255, name="preprocessing")(image)
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    model = keras.Model(image, keras.layers.Dense(4, kernel_initializer="ones")(pooled))
    model.layers[-1].set_weights([np.full((3, 4), 3e38, "float32"), np.zeros(4, "float32")])
    for suffix in WRITTEN:
        with pytest.raises(ValueError, match=r"Keras model computes numbers that are not finite"):
            export(model, tmp_path / f"m{suffix}", normalize=False, images=IMAGES)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_exports_are_swept(model, tmp_path):
    """Their processes have ended; the numbers of others are beyond those that there are."""
    left = temporary_path(tmp_path / "m.tflite")
    dead = left.with_name(left.name.replace(f"-{os.getpid()}-", "-99999999-"))
    dead.mkdir()
    (dead / "m.tflite").write_bytes(b"half")
    report = export(model, tmp_path / "m.tflite", images=IMAGES)
    assert sorted(path.name for path in tmp_path.iterdir()) == WRITTEN[".tflite"]
    saved = json.loads((tmp_path / "m.tflite.json").read_text("utf-8"))
    assert saved["digest"] == report.digest == read_metadata(tmp_path / "m.tflite").digest
    assert saved["calibration_images"] == 0


def test_int8_is_not_compared_on_its_calibration_images(model, tmp_path):
    images = synthetic_people(8, views=1, image_size=(64, 32)).images
    with pytest.raises(ValueError, match="`images` must be others than those of `calibration`"):
        export(model, tmp_path / "m.tflite", quantization="int8", calibration=images, images=images)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.large
def test_a_comparison_on_the_calibration_images_says_so(model, tmp_path):
    images = synthetic_people(8, views=1, image_size=(64, 32)).images
    with pytest.warns(UserWarning, match="int8 is calibrated on"):
        report = export(model, tmp_path / "m.tflite", quantization="int8", calibration=images)
    assert report.calibration_images == report.images == len(images)
    assert "new ones lose more" in dict(report.table())["images"]
