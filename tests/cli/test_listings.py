"""`models`, `weights`, `info` and `synthetic`."""

import hashlib

import pytest

import keras_osnet
from keras_osnet.data.datasets.market1501 import read_folder


def test_models(run, run_json):
    text = run("models").stdout
    assert "osnet_ain_x0_25" in text
    assert "width=0.25, variant='ain'" in text
    listed = run_json("models")
    assert {each["name"]: each["arguments"] for each in listed} == keras_osnet.list_models()


def test_models_with_their_complexity(run, run_json, monkeypatch):
    one = {"osnet_x0_25": {"width": 0.25}}
    monkeypatch.setattr(keras_osnet.models, "list_models", lambda: one, raising=False)
    text = run("models", "--complexity").stdout
    assert all(count in text for count in ("203,568", "201,864", "82,316,000"))
    assert run_json("models", "--complexity") == [
        {
            "name": "osnet_x0_25",
            "arguments": {"width": 0.25},
            "parameters": 203568,
            "trainable_parameters": 201864,
            "mult_adds": 82316000,
        }
    ]


def test_weights(run, run_json, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    text = run("weights").stdout
    assert "\n45 checkpoints" in text
    assert "94.2/82.6 market1501" in text
    assert ".pth" not in text
    assert "osnet_ibn_ms_m_c.pth.tar" in run("weights", "--files").stdout
    assert len(run_json("weights")) == 45
    (only,) = run_json("weights", "--variant", "ain", "--width", "0.5")
    assert only["tag"] == "imagenet"
    assert only["file"] == "osnet_ain_x0_5_imagenet.pyth"


def test_weights_fit_a_terminal_of_80_columns(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = run("weights").stdout
    assert "msmt17+dukemtmcreid+market1501" in text  # whole, to be copied
    assert max(map(len, text.splitlines())) <= 80


def test_weights_of_a_width_that_nobody_published(run):
    assert run("weights", "--width", "0.3", code=1).stderr.endswith("Received: --width 0.3\n")
    assert "'x' is not one of" in run("weights", "--variant", "x", code=2).stderr


def test_info_of_a_model(run, run_json):
    text = run("info", "--width", "0.25").stdout
    assert all(count in text for count in ("203,568", "201,864", "82,316,000", "256 × 128 × 3"))
    facts = run_json("info", "--width", "0.25", "--variant", "ain", "--image-size", "64", "32")
    assert facts["checkpoint"] is None
    model = facts["model"]
    assert model["name"] == "osnet_ain_x0_25"
    assert model["input_shape"] == [64, 32, 3]
    assert model["embedding_length"] == 512
    layers = {layer["name"]: layer for layer in model["layers"]}
    assert layers["conv5"]["output_shape"] == [4, 2, 128]
    assert sum(each["parameters"] for each in layers.values()) == model["trainable_parameters"]


def test_info_of_a_file(run, run_json, checkpoint):
    content = checkpoint.read_bytes()
    facts = run_json("info", "--weights", checkpoint)
    assert facts["model"]["name"] == "osnet_x0_25"
    assert facts["checkpoint"] == {
        "file": str(checkpoint),
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "architecture": "osnet_x0_25",
        "classes": 5,
        "tensors": {"float32": 487, "int64": 80},
        "place": "",
    }
    text = run("info", "--weights", checkpoint).stdout
    assert "567 (487 float32, 80 int64)" in text
    assert hashlib.sha256(content).hexdigest() in text


def test_info_errors(run, checkpoint, tmp_path):
    junk = tmp_path / "junk.pth"
    junk.write_bytes(b"no checkpoint")
    assert "begins b'no check'. Received: " in run("info", "--weights", junk, code=1).stderr
    assert (
        "holds --width 0.25"
        in run("info", "--weights", checkpoint, "--width", "0.5", code=1).stderr
    )
    assert "no.pth" in run("info", "--weights", tmp_path / "no.pth", code=1).stderr
    assert run("info", "--width", "0.3", code=1).stderr.startswith("Error: --width must be")
    error = run("info", "--model", "osnet_x0_25", "--weights", checkpoint, code=2).stderr
    assert "--model names an architecture" in error
    error = run("info", "--model", "osnet", code=2).stderr
    assert error.endswith("Received: osnet\n")


def test_info_of_an_architecture(run_json):
    model = run_json("info", "--model", "osnet_ain_x0_25", "--image-size", "64", "32")["model"]
    assert (model["name"], model["input_shape"]) == ("osnet_ain_x0_25", [64, 32, 3])
    small = run_json("info", "--model", "osnet_cifar_2_2_2")["model"]
    assert small["input_shape"] == [32, 32, 3]


@pytest.mark.parametrize("repeat", [False, True])
def test_synthetic(run, tmp_path, repeat):
    folder = tmp_path / "people"
    arguments = ["synthetic", "-o", folder, "--identities", 2, "--views", 1, "--image-size", 32, 16]
    result = run(*arguments)
    if repeat:
        result = run(*arguments)  # completes what is complete
    assert result.stdout.startswith(f"Wrote 4 images of 2 people under 2 cameras to {folder}\n")
    assert f"keras-osnet evaluate --data {folder}" in result.stdout
    people = read_folder(folder)
    assert [(person.identity, person.camera) for person in people] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
    ]


def test_synthetic_look_alikes(run, tmp_path):
    folder = tmp_path / "people"
    arguments = ["--identities", 4, "--cameras", 1, "--views", 1, "--image-size", 32, 16]
    run("synthetic", "-o", folder, *arguments, "--look-alikes", 2)
    assert len((folder / "details.csv").read_text().splitlines()) == 5
    assert len((folder / "attributes.csv").read_text().splitlines()) == 5
    assert "7" in run("synthetic", "-o", folder, "--look-alikes", 7, code=2).stderr


def test_synthetic_into_a_folder_of_other_things(run, tmp_path):
    (tmp_path / "thesis.tex").touch()
    assert "must be empty" in run("synthetic", "-o", tmp_path, code=1).stderr
    assert "is a file" in run("synthetic", "-o", tmp_path / "thesis.tex", code=2).stderr
    assert "0" in run("synthetic", "-o", tmp_path / "new", "--cameras", 0, code=2).stderr
