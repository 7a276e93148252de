import hashlib
import json
import zipfile

import numpy as np
import pytest

from keras_osnet.cli.console import import_keras
from keras_osnet.data import list_images
from keras_osnet.runtime import Embedder, read_metadata

pytest.importorskip("ai_edge_litert")

SMALL = ("--image-size", 64, 32)


@pytest.fixture(scope="module")
def tflite(tmp_path_factory, checkpoint, people):
    """The checkpoint as a .tflite file, and what the command printed."""
    from click.testing import CliRunner

    from keras_osnet.cli.application import application

    path = tmp_path_factory.mktemp("exported") / "model.tflite"
    arguments = ["export", "--weights", checkpoint, "-o", path, *SMALL, "--data", people]
    arguments += ["--license", "MIT"]
    result = CliRunner().invoke(application, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return path, result.stdout


def test_a_file_and_its_proof(tflite, checkpoint):
    path, printed = tflite
    report = json.loads(path.with_name("model.tflite.json").read_text())
    assert report["images"] == 12
    assert report["rank_1"] == report["rank_1_model"]
    assert report["max_relative_difference"] < 1e-4
    assert f"Wrote {path}, and these results to {path}.json" in printed
    assert "rank-1" in printed
    metadata = read_metadata(path)
    assert metadata.image_size == (64, 32)
    assert (metadata.batch, metadata.dtype) == (1, "uint8")
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert metadata.source == f"{checkpoint.name} (SHA-256 {digest})"
    assert metadata.license == "MIT"
    assert metadata.l2_normalized


def test_embed_runs_the_file_and_weights_alike(run, tflite, checkpoint, people, tmp_path):
    found = {}
    for name, options in (
        ("file", ("--weights", tflite[0])),
        ("weights", ("--weights", checkpoint, *SMALL)),
        ("keras", ("--weights", checkpoint, *SMALL, "--engine", "keras", "--batch-size", 5)),
    ):
        output = tmp_path / f"{name}.npz"
        result = run("embed", people, "-o", output, *options)
        engine = {"file": "litert on cpu", "weights": "litert", "keras": "keras"}[name]
        assert result.stdout == f"Wrote {output}: 12 vectors of 512, by {engine}\n"
        with np.load(output) as file:
            assert file["names"].tolist() == [path.as_posix() for path in list_images(people)]
            found[name] = file["vectors"]
    np.testing.assert_allclose(found["file"], found["keras"], atol=1e-5)
    np.testing.assert_allclose(found["weights"], found["keras"], atol=1e-5)


def test_an_exported_file_is_run_without_keras(run, tflite, people, tmp_path, monkeypatch):
    def fail():
        raise AssertionError("Keras was started")

    monkeypatch.setattr("keras_osnet.cli.console.import_keras", fail)
    monkeypatch.setattr("keras_osnet.cli.options.import_keras", fail)
    run("embed", people, "-o", tmp_path / "v.npz", "--weights", tflite[0])
    assert import_keras is not fail


def test_a_classifier_with_labels_for_any_number_of_images(run_json, checkpoint, people, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("a\nb\n\nc\nd\ne\n")
    path = tmp_path / "model.tflite"
    report = run_json(
        "export", "--weights", checkpoint, "-o", path, *SMALL, "--head", "classification",
        "--labels", labels, "--batch", "any", "--dtype", "float32", "--images", people,
        "--max-drop", 0,
    )  # fmt: skip
    assert report["agreement"] == 1
    metadata = read_metadata(path)
    assert metadata.labels == ("a", "b", "c", "d", "e")
    assert (metadata.batch, metadata.dtype) == (None, "float32")


@pytest.mark.large
def test_int8(run, checkpoint, people, tmp_path):
    path = tmp_path / "model.tflite"
    result = run(
        "export", "--weights", checkpoint, "-o", path, *SMALL, "--quantization", "int8",
        "--calibration", people, "--json",
    )  # fmt: skip
    report = json.loads(result.stdout)
    assert "12 images" in result.stderr
    assert report["quantization"] == "int8"
    assert report["cosine_median"] > 0.99
    assert Embedder(path).dim == 512


def test_too_much_lost_writes_nothing(run, checkpoint, people, tmp_path):
    path = tmp_path / "model.tflite"
    error = run(
        "export", "--weights", checkpoint, "-o", path, *SMALL, "--quantization", "dynamic",
        "--images", people, "--max-drop", 0, code=1,
    ).stderr  # fmt: skip
    assert "loses more than" in error
    assert list(tmp_path.iterdir()) == []


def test_usage_errors(run, checkpoint, people, tmp_path):
    def error(*arguments, code=2):
        return run("export", "--weights", checkpoint, "-o", *arguments, code=code).stderr

    path = tmp_path / "model.tflite"
    assert "must end in .tflite, .onnx, .xml" in error(tmp_path / "model.pb")
    assert "folder that exists" in error(tmp_path / "no" / "model.tflite")
    assert "needs --calibration" in error(path, "--quantization", "int8")
    assert "is for --quantization int8" in error(path, "--calibration", people)
    file = sorted(people.glob("*.png"))[0]
    assert "is a file" in error(path, "--quantization", "int8", "--calibration", file)
    assert "is for .tflite" in error(tmp_path / "m.onnx", "--quantization", "dynamic")
    assert "not both" in error(path, "--images", people, "--data", people)
    assert "must be a folder for NVIDIA Triton. R" in error(tmp_path / "m.onnx", "--for", "triton")
    assert "or a file ending in .tflite" in error(tmp_path / "m.onnx", "--for", "mediapipe")
    path.write_text("mine")
    assert "exists; give --force" in error(path, code=1)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("existing", "options"),
    [
        ("m.onnx.metadata.json", ("--for", "boxmot", "-o", "m.onnx")),
        ("m.bin", ("-o", "m.xml")),
        ("m.onnx.json", ("-o", "m.onnx")),
    ],
)
def test_no_file_is_replaced_without_force(run, checkpoint, tmp_path, existing, options):
    file = tmp_path / existing
    file.write_text("mine")
    arguments = (*options[:-1], tmp_path / options[-1])
    error = run("export", "--weights", checkpoint, *SMALL, *arguments, code=1).stderr
    assert f"{existing} exists; give --force" in " ".join(error.split())
    assert [each.name for each in tmp_path.iterdir()] == [existing]
    assert file.read_text() == "mine"


def test_embed_is_told_what_a_file_of_others_takes(run, tflite, people, tmp_path):
    """The error names what is to be said, and there is an option to say it with."""
    path, _ = tflite
    with zipfile.ZipFile(path) as archive:
        model = path.read_bytes()[: min(each.header_offset for each in archive.infolist())]
    stock, output = tmp_path / "stock.tflite", tmp_path / "vectors.npz"
    stock.write_bytes(model)
    arguments = ("embed", people, "-o", output, "--weights", stock)
    assert "pass --pixel-range normalized" in run(*arguments, code=1).stderr
    run(*arguments, "--pixel-range", "0-255")
    assert np.load(output)["vectors"].shape == (12, 512)


def test_usage_errors_of_embed(run, checkpoint, people, tmp_path):
    def error(*arguments, weights=checkpoint):
        output = tmp_path / "vectors.npz"
        return run("embed", people, "-o", output, "--weights", weights, *arguments, code=2).stderr

    assert "--raw needs --engine keras" in error("--raw")
    assert "--batch-size needs --engine keras" in error("--batch-size", 3)
    assert "--engine openvino runs exported files" in error("--engine", "openvino")
    assert "not for exported files" in error("--width", 0.25, weights="model.tflite")
    assert "--engine keras runs weights" in error("--engine", "keras", weights="model.tflite")


def test_published_weights_have_a_license():
    from keras_osnet.cli.export import _license_of

    assert _license_of("synthetic") == _license_of("msmt17") == "MIT"
    assert _license_of("best.keras") is None
