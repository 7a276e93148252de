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
from keras_osnet.data import ReidDataset, split_by_camera
from keras_osnet.deploy import FidelityError, embedder, export_onnx, export_openvino, export_tflite
from keras_osnet.runtime import Embedder, read_description
from keras_osnet.runtime.engines import open_engine
from keras_osnet.synthetic import synthetic_people, write_synthetic_people

PICTURES = synthetic_people(6, views=1, image_size=(64, 32)).images
EXPORTERS = {".tflite": export_tflite, ".onnx": export_onnx, ".xml": export_openvino}
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
    return open_engine(file, "auto", precision="float32", threads=1).run(images)


@pytest.mark.parametrize("suffix", EXPORTERS)
@pytest.mark.parametrize(("batch", "dtype"), [(1, "uint8"), (None, "float32")])
def test_the_file_is_the_model(model, suffix, batch, dtype, tmp_path):
    file = tmp_path / f"m{suffix}"
    report = EXPORTERS[suffix](
        model, file, batch=batch, input=dtype, pictures=PICTURES, licence="MIT", source="here"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == WRITTEN[suffix]
    expected = keras.ops.convert_to_numpy(model(keras_osnet.preprocess_input(PICTURES)))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    vectors = run(file, PICTURES.astype(dtype))
    assert np.abs(vectors - expected).max() / expected.max() < 1e-4
    assert report.max_relative_difference < 1e-4
    assert report.pictures == len(PICTURES)
    assert not report.drawn
    written = sum((tmp_path / name).stat().st_size for name in WRITTEN[suffix][:-1])
    assert report.size_bytes == written
    saved = json.loads((tmp_path / f"m{suffix}.json").read_text("utf-8"))
    assert saved["cosine_min"] == report.cosine_min
    description = read_description(file)
    assert (description.batch, description.input_dtype) == (batch, dtype)
    assert (description.licence, description.source) == ("MIT", "here")
    engine = open_engine(file, "auto", precision="float32", threads=1)
    assert (engine.input_shape[0], engine.input_dtype) == (batch, dtype)
    np.testing.assert_allclose(Embedder(file).embed(PICTURES), expected, atol=1e-5)


def test_signature_and_labels(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    file = tmp_path / "m.tflite"
    attributes = small(head="attribute", classes=3, streams=1, fusion="addition")
    report = export_tflite(attributes, file, labels=["hat", "bag", "naïve"])
    assert Interpreter(str(file)).get_signature_list() == {
        "serving_default": {"inputs": ["image"], "outputs": ["attributes"]}
    }
    with zipfile.ZipFile(file) as archive:
        assert archive.read("labels.txt").decode("utf-8") == "hat\nbag\nnaïve\n"
        assert json.loads(archive.read("keras_osnet.json"))["output"]["labels"][0] == "hat"
    assert report.drawn
    assert report.agreement == 1
    assert report.max_score_difference < 1e-5
    assert report.rank_1 is None


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_names_in_other_formats(model, suffix, tmp_path):
    file = tmp_path / f"m{suffix}"
    EXPORTERS[suffix](model, file, pictures=PICTURES)
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
    whole = export_tflite(model, tmp_path / "whole.tflite", pictures=PICTURES)
    report = export_tflite(
        model, tmp_path / "m.tflite", quantization=quantization, pictures=PICTURES
    )
    assert report.quantization == quantization
    assert read_description(tmp_path / "m.tflite").quantization == quantization
    assert least_cosine < report.cosine_min < 1
    assert report.size_bytes < largest * whole.size_bytes
    assert report.off_xnnpack == whole.off_xnnpack == ("1 × CAST",)
    assert report.off_gpu == ("1 × CAST",)


def test_the_same_model_gives_the_same_bytes(model, tmp_path):
    for name in ("a.tflite", "b.tflite"):
        export_tflite(model, tmp_path / name, pictures=PICTURES)
    assert (tmp_path / "a.tflite").read_bytes() == (tmp_path / "b.tflite").read_bytes()


def test_what_a_file_may_lose(model, tmp_path):
    people = write_synthetic_people(tmp_path, 4, views=2, image_size=(64, 32))
    query, gallery = split_by_camera(people)
    dataset = ReidDataset("drawn", (), tuple(query), tuple(gallery))
    folder = tmp_path / "out"
    folder.mkdir()
    report = export_tflite(model, folder / "m.tflite", pictures=dataset, max_drop=0.5)
    assert report.rank_1 == report.rank_1_model > 0
    assert abs(report.mean_average_precision - report.mean_average_precision_model) < 1e-6
    assert report.pictures == len(people)
    before = (folder / "m.tflite").read_bytes()
    with pytest.raises(
        FidelityError, match=r"minimum cosine 0\.\d+ points of 100.*max_drop=0\.0"
    ) as e:
        export_tflite(
            model, folder / "m.tflite", quantization="dynamic", pictures=PICTURES, max_drop=0.0
        )
    assert e.value.report.cosine_min < 1
    assert (folder / "m.tflite").read_bytes() == before
    assert len(list(folder.iterdir())) == 2


def test_calibration_is_asked_for(model, tmp_path):
    file = tmp_path / "m.tflite"
    with pytest.raises(ValueError, match="needs `calibration`"):
        export_tflite(model, file, quantization="int8")
    with pytest.raises(ValueError, match=r"8 pictures at least.*Received: 7"):
        export_tflite(model, file, quantization="int8", calibration=PICTURES[:7])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"path": "m.onnx"}, ValueError, r"`path` must end in \.tflite. Received: .*m\.onnx"),
        ({"path": "no/m.tflite"}, FileNotFoundError, "There is no folder"),
        ({"quantization": "int4"}, ValueError, "`quantization` must be one of .*'int4'"),
        ({"max_drop": -1}, ValueError, "`max_drop` must be points.*-1"),
        ({"max_drop": float("nan")}, ValueError, "`max_drop` must be points.*nan"),
        ({"pictures": 3}, ValueError, "`pictures` must be a folder.*Received: 3"),
        ({"pictures": PICTURES / 255}, ValueError, "`pictures` as an array .*float64"),
        ({"input": "int8"}, ValueError, "`input` must be one of"),
    ],
)
def test_mistakes(model, arguments, error, message, tmp_path):
    arguments = {"path": "m.tflite", **arguments}
    path = tmp_path / arguments.pop("path")
    with pytest.raises(error, match=message):
        export_tflite(model, path, **arguments)
    assert not list(tmp_path.iterdir())


def test_a_model_that_embeds_at_once(model):
    expected = keras.ops.convert_to_numpy(model(keras_osnet.preprocess_input(PICTURES)))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(embedder(model, threads=1)(PICTURES), expected, atol=1e-5)
    with pytest.raises(ValueError, match=r"must end in an embedding.*ends in predictions"):
        embedder(small(head="classification", classes=3, streams=1, fusion="addition"))


OTHER_BACKEND = """
import keras, keras_osnet, numpy as np, sys
from keras_osnet.deploy import export_tflite, embedder
model = keras_osnet.OSNet(
    0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=2
)
report = export_tflite(model, sys.argv[1])
assert report.max_relative_difference < 1e-4, report
assert report.off_gpu == ("1 × CAST",), report
print(keras.backend.backend(), report.engine)
"""


@pytest.mark.extra_large
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
    assert read_description(tmp_path / "m.tflite").dim == 512
