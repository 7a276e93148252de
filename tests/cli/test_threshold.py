import json

import numpy as np
import pytest
from tiny_onnx import SIZE, write_tiny_onnx

from keras_osnet.deploy.formats import FORMATS
from keras_osnet.runtime import Embedder, read_metadata
from keras_osnet.runtime.metadata import ModelMetadata
from keras_osnet.synthetic import write_synthetic_people


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """Write a folder of 24 small images: six people, two cameras, two views."""
    folder = tmp_path_factory.mktemp("six")
    write_synthetic_people(folder, 6, cameras=2, views=2, image_size=SIZE)
    return folder


@pytest.fixture
def plain(tmp_path):
    return write_tiny_onnx(tmp_path / "plain.onnx")


@pytest.fixture
def exported(tmp_path):
    """Write an ONNX file with metadata."""
    path = write_tiny_onnx(tmp_path / "tiny.onnx")
    metadata = ModelMetadata(name="tiny", dim=8, image_size=SIZE, pixel_range="0-1", layout="NCHW")
    FORMATS[".onnx"].describe(path, metadata, ("image", "vector"))
    return path


@pytest.fixture
def threshold(six, exported):
    return (
        *("threshold", "--data", six, "--weights", exported),
        *("--false-positive-rate", 0.1),
    )


def test_it_is_printed_and_written(run, run_json, threshold, exported, six):
    vectors = Embedder(exported).embed(sorted(six.glob("*.png")))
    digest = Embedder(exported).digest
    report = run_json(*threshold, "--no-write")
    assert read_metadata(exported).threshold is None
    assert report["written"] is False
    assert (report["genuine_pairs"], report["impostor_pairs"], report["identities"]) == (24, 120, 6)
    assert report["false_positive_rate"] <= 0.1
    assert report["true_positive_rate_at_0.1"] == report["true_positive_rate"]
    assert report["true_positive_rate_at_0.01"] is None
    assert report["division"] == "pairs are every two images under different cameras"
    assert (report["cameras_known"], report["notes"]) == (True, [])

    # By hand, on the vectors of the file.
    names = [path.name for path in sorted(six.glob("*.png"))]
    ids, cameras = np.array([name[:4] for name in names]), np.array([name[6] for name in names])
    across = cameras[:, None] != cameras
    cosines = (vectors @ vectors.T)[across & (ids[:, None] != ids)]
    assert np.mean(cosines >= report["similarity"]) == pytest.approx(report["false_positive_rate"])

    result = run(*threshold)
    assert f"{report['similarity']:.4f} (95 % interval: " in result.stdout
    assert "24 of the same person, 120 of others; 6 people" in result.stdout
    assert "TPR at FPR 1 %    too few pairs of different people to tell" in result.stdout
    assert result.stdout.endswith(f"Wrote the threshold into {exported}\n")
    stored = read_metadata(exported).threshold
    assert stored.similarity == report["similarity"]
    assert list(stored.true_positive_interval) == report["true_positive_interval"]
    embedder = Embedder(exported)
    assert embedder.digest == digest
    assert embedder.same_person(six / names[0], six / names[0])

    error = run(*threshold, code=1).stderr
    assert f"--force replaces it. Received: {stored.similarity:.4f} in {exported}" in error
    run(*threshold, "--force", "--balanced", code=2)
    balanced = ("threshold", "--data", six, "--weights", exported, "--balanced", "--force")
    other = json.loads(run(*balanced, "--json").stdout)
    assert other["written"] is True
    assert read_metadata(exported).threshold.similarity == other["similarity"]


def test_the_figure(run, threshold, tmp_path):
    pytest.importorskip("matplotlib")
    figure = tmp_path / "roc.svg"
    assert f"Wrote {figure}" in run(*threshold, "--figure", figure).stdout
    text = figure.read_text("utf-8")
    assert "pairs of different people accepted (%)" in text
    assert "tiny.onnx: EER " in text


def test_queries_and_gallery_of_a_table(run_json, threshold, six, tmp_path):
    table = tmp_path / "people.csv"
    lines = ["path,identity,camera,split"]
    for path in sorted(six.glob("*.png")):
        camera = path.name[6]
        lines.append(f"{path},{path.name[:4]},{camera},{'query' if camera == '1' else 'gallery'}")
    table.write_text("\n".join(lines))
    arguments = list(threshold)
    arguments[2] = table
    report = run_json(*arguments)
    assert (report["genuine_pairs"], report["impostor_pairs"]) == (24, 120)
    assert report["division"] == "queries and gallery are those that the table names"


def test_without_cameras(run_json, exported, six, tmp_path):
    for path in six.glob("*.png"):
        folder = tmp_path / "people" / path.name[:4]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name[6:]).write_bytes(path.read_bytes())
    report = run_json(
        *("threshold", "--data", tmp_path / "people", "--weights", exported),
        *("--false-positive-rate", 0.1),
    )
    assert (report["genuine_pairs"], report["impostor_pairs"]) == (36, 240)
    assert report["division"] == "pairs are every two images"
    assert report["notes"][0].startswith("Cameras are not known")


def test_weights(run, run_json, checkpoint, six):
    arguments = ("threshold", "--data", six, "--weights", checkpoint, "--image-size", 64, 32)
    arguments += ("--false-positive-rate", 0.1)
    report = run_json(*arguments)
    assert report["genuine_pairs"] == 24
    assert report["written"] is False
    for option in (["--no-write"], ["--force"], ["--device", "cpu"], ["--pixel-range", "0-1"]):
        error = run(*arguments, *option, code=2).stderr
        assert f"{option[0]} is for exported files, not for weights" in error


def test_errors_before_the_work(run, plain, exported, threshold, six, monkeypatch, tmp_path):
    monkeypatch.setattr(Embedder, "embed_files", None)
    arguments = ("threshold", "--data", six, "--weights")
    error = run(*arguments, plain, "--pixel-range", "0-1", code=2).stderr
    assert "has no place for a threshold; --no-write prints it only" in " ".join(error.split())
    assert "does not exist" in run("threshold", "--data", "no", "--weights", plain, code=2).stderr
    assert "Give --data PATH" in run("threshold", "--weights", exported, code=2).stderr
    error = run(*threshold, "--figure", tmp_path / "roc.gif", code=2).stderr
    assert "must end in .png, .svg, .pdf" in error
    error = run(*threshold, "--figure", six / "roc.png", code=2).stderr
    assert "'--figure': must not be in the folder of images that are read" in error
    error = run(*threshold, "--figure", tmp_path / "gone" / "roc.png", code=2).stderr
    assert "Invalid value for '--figure': must be in a folder that exists" in error
    error = run(*threshold, "--false-positive-rate", "nan", code=2).stderr
    assert "'nan' is not a finite number" in error
    error = run(*threshold, "--batch-size", 2, code=2).stderr
    assert "--batch-size is for weights" in error
    error = run(*arguments, tmp_path / "gone.onnx", code=1).stderr
    assert "no such model file" in error


def test_no_permission_to_write(run, threshold, exported, monkeypatch):
    monkeypatch.setattr(Embedder, "embed_files", None)
    monkeypatch.setattr("os.access", lambda path, mode: path != exported.parent)
    assert f"no permission for {exported.parent}" in run(*threshold, code=1).stderr


def test_too_few_pairs_or_people(run, exported, six, people):
    error = run("threshold", "--data", six, "--weights", exported, code=1).stderr
    assert "--false-positive-rate needs at least 1,000 pairs of different people" in error
    assert "Embedding" not in error
    arguments = ("threshold", "--data", people, "--weights", exported)
    error = run(*arguments, "--false-positive-rate", 0.5, code=1).stderr
    assert "pairs of at least 5 people" in error
    assert "Embedding" not in error
    assert read_metadata(exported).threshold is None
