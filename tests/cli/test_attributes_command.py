"""`keras-osnet attributes`."""

import functools

import miniature_datasets as miniature
import numpy as np
import pytest
from PIL import Image

import keras_osnet
from keras_osnet.cli import attributes as module
from keras_osnet.data import attributes_from_table
from keras_osnet.evaluation import evaluate_attribute_model
from keras_osnet.weights import to_torchreid, write_torch_checkpoint
from keras_osnet.weights.safetensors import save_safetensors

KEYS = [
    "mA", "accuracy", "precision", "recall", "f1", "attributes", "images", "unreadable",
    "dataset", "part", "threshold", "weights", "model", "image_size",
]  # fmt: skip
NAMES = miniature.ATTRIBUTES

_load_once = functools.cache(module.load_attribute_model)


@pytest.fixture(autouse=True)
def attribute_models_are_built_once(monkeypatch):
    monkeypatch.setattr(module, "load_attribute_model", _load_once)


@pytest.fixture(scope="module")
def model():
    model = keras_osnet.OSNet(0.25, head="attribute", classes=3, input_shape=(64, 32, 3))
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([300 * kernel, bias])
    return model


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    """The same model in three formats; a torch checkpoint does not tell the head or the size."""
    folder = tmp_path_factory.mktemp("attribute weights")
    model.save(folder / "model.keras")
    save_safetensors(model, folder / "model.safetensors")
    write_torch_checkpoint(folder / "model.pth", to_torchreid(model))
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A table of eight images, four of them to test on."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    lines = ["path,split," + ",".join(NAMES)]
    parts = ["test"] * 4 + ["validation"] * 3 + ["train"]
    labels = ["0,1,1", "1,0,1", "1,1,1", "0,1,1", "0,1,0", "1,0,1", "1,0,1", "1,1,0"]
    for number, (part, label) in enumerate(zip(parts, labels, strict=True)):
        pixels = rng.integers(0, 256, (8, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((32, 64)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{part},{label}")
    (folder / "people.csv").write_text("\n".join(lines))
    return folder / "people.csv"


@pytest.mark.large
@pytest.mark.parametrize("name", ["model.keras", "model.safetensors", "model.pth"])
def test_a_table(run, run_json, weights, images, model, name):
    options = (
        "attributes",
        "--data",
        images,
        "--weights",
        weights / name,
        "--image-size",
        64,
        32,
    )
    report = run_json(*options)
    assert list(report) == KEYS
    expected = evaluate_attribute_model(model, attributes_from_table(images).test)
    assert report["mA"] == pytest.approx(100 * expected.mean_accuracy, abs=1e-3)
    for measure in ("accuracy", "precision", "recall", "f1"):
        assert report[measure] == pytest.approx(100 * getattr(expected, measure), abs=1e-3)
    assert [one["name"] for one in report["attributes"]] == NAMES
    assert [one["positive"] for one in report["attributes"]] == [50, 75, 100]
    accuracies = [one["accuracy"] for one in report["attributes"]]
    assert accuracies[:2] == pytest.approx(100 * expected.attribute_accuracy[:2], abs=1e-3)
    assert accuracies[2] is None  # all four show it
    assert report["unreadable"] == {"count": 0, "files": []}
    facts = {
        "images": 4,
        "dataset": "people",
        "part": "test",
        "threshold": 0.5,
        "image_size": [64, 32],
    }
    assert {key: report[key] for key in facts} == facts

    result = run(*options)
    assert result.stderr == ""
    lines = [line.split() for line in result.stdout.splitlines()]
    (row,) = (index for index, words in enumerate(lines) if words[:1] == ["mA"])
    assert lines[row] == ["mA", "accuracy", "precision", "recall", "F1"]
    assert lines[row + 2] == [
        f"{report[key]:.1f}" for key in ("mA", "accuracy", "precision", "recall", "f1")
    ]
    assert [NAMES[0], "50.0", f"{accuracies[0]:.1f}"] in lines
    assert [NAMES[2], "100.0", "–"] in lines


def test_the_size_is_the_models_own(run_json, weights, images):
    options = ("attributes", "--data", images, "--weights", weights / "model.keras")
    assert run_json(*options)["image_size"] == [64, 32]


def test_parts_and_threshold(run, run_json, weights, images, model):
    options = ("attributes", "--data", images, "--weights", weights / "model.keras")
    report = run_json(*options, "--part", "validation", "--threshold", 0.2)
    content = attributes_from_table(images)
    expected = evaluate_attribute_model(model, content.validation, threshold=0.2)
    assert report["f1"] == pytest.approx(100 * expected.f1, abs=1e-3)
    assert (report["images"], report["part"], report["threshold"]) == (3, "validation", 0.2)
    error = run(*options, "--threshold", 0, code=1).stderr
    assert error == "Error: --threshold must be above 0 and at most 1. Received: 0.0\n"


def test_a_table_without_parts(run, run_json, weights, images):
    lines = images.read_text().splitlines()
    bare = images.parent / "bare.csv"
    bare.write_text("\n".join(f"{line.split(',')[0]},{line.split(',', 2)[2]}" for line in lines))
    options = ("attributes", "--data", bare, "--weights", weights / "model.keras")
    error = run(*options, code=1).stderr
    assert error.endswith("Received: --part test, 8 in train, 0 in validation, 0 in test\n")
    assert run_json(*options, "--part", "train")["images"] == 8


def test_pa100k(run, run_json, weights, tmp_path):
    pytest.importorskip("scipy")
    miniature.pa100k(tmp_path)
    rng = np.random.default_rng(0)
    for path in sorted(tmp_path.rglob("*.jpg")):
        pixels = rng.integers(0, 256, (8, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((32, 64)).save(path)
    named = ("attributes", "--data", tmp_path, "--dataset", "pa100k")
    options = (*named, "--weights", weights / "model.keras")
    assert "This is not PA-100K" in run(*options, code=1).stderr
    report = run_json(*options, "--no-check")
    assert (report["dataset"], report["images"]) == ("pa100k", 2)
    assert [one["name"] for one in report["attributes"]] == NAMES

    (tmp_path / "data" / "000001.jpg").write_bytes(b"")
    result = run(*options, "--no-check", "--part", "train")
    assert "Warning: 1 of 4 images could not be read" in result.stderr
    assert "images     3" in result.stdout


@pytest.mark.large
def test_models_that_do_not_fit(run, weights, images, model, checkpoint, tmp_path):
    options = ("attributes", "--data", images, "--weights")
    error = run(*options, checkpoint, code=1).stderr  # five identities, as far as one can tell
    assert error.endswith("Received: osnet_x0_25 with 5 attributes, labels of 3\n")

    for head in ("classification", "embedding"):
        path = tmp_path / f"{head}.keras"
        classes = {"classes": 3} if head == "classification" else {}
        keras_osnet.OSNet(0.25, head=head, input_shape=(64, 32, 3), **classes).save(path)
        error = run(*options, path, code=1).stderr
        assert "--weights must be those of an attribute model" in error
        assert error.endswith(f"{path} with head='{head}'\n")

    path = tmp_path / "headless.pth"
    write_torch_checkpoint(path, to_torchreid(keras_osnet.OSNet(0.25, head="embedding")))
    assert "needs a classifier" in run(*options, path, code=1).stderr


def test_what_is_no_dataset_of_attributes(run, weights, images, tmp_path):
    options = ("attributes", "--weights", weights / "model.keras", "--data")
    assert "give --dataset pa100k" in run(*options, tmp_path, code=2).stderr
    error = run(*options, images, "--no-check", code=2).stderr
    assert "--no-check is of a published dataset" in error
    miniature.market1501(tmp_path)
    named = (tmp_path, "--dataset", "market1501", "--no-check")
    error = run(*options, *named, code=1).stderr
    assert error.endswith("Received: market1501, a dataset of another kind\n")
    assert "does not exist" in run(*options, tmp_path / "gone.csv", code=2).stderr
