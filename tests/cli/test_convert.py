import re
import shlex
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet.weights import (
    read_state_dict,
    read_torch_checkpoint,
    write_torch_checkpoint,
)


def same(first, second):
    """Compare state dicts in everything but batch counts, which Keras does not keep."""
    assert first.keys() == second.keys()
    for name, array in first.items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(array, second[name])


@pytest.mark.parametrize(
    "ending", [".pt", ".pth.tar", ".safetensors", pytest.param(".keras", marks=pytest.mark.large)]
)
def test_there_and_back(run, checkpoint, tmp_path, ending):
    there, back = tmp_path / f"there{ending}", tmp_path / "back.pth"
    result = run("convert", checkpoint, there)
    assert result.stdout.splitlines() == [
        f"Wrote {there}: osnet_x0_25, classifier of 5",
        "  487 tensors used",
        "  80 skipped: batch counts, which Keras does not keep",
    ]
    run("convert", there, back)
    same(read_torch_checkpoint(checkpoint), read_torch_checkpoint(back))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([there.name, back.name])


@pytest.mark.large
def test_keras_weights_need_to_be_told_their_network(run, checkpoint, tmp_path):
    there, back = tmp_path / "there.weights.h5", tmp_path / "back.safetensors"
    run("convert", checkpoint, there)
    assert "--width (and --variant" in run("convert", there, back, code=1).stderr
    run("convert", there, back, "--width", "0.25")
    same(read_state_dict(checkpoint).tensors, read_state_dict(back).tensors)


@pytest.mark.large
def test_an_embedding_without_its_classifier(run, checkpoint, tmp_path):
    there = tmp_path / "there.safetensors"
    result = run("convert", checkpoint, there, "--head", "embedding")
    assert "osnet_x0_25, embedding" in result.stdout
    assert "2 skipped: the checkpoint has a classifier of 5 classes" in result.stdout
    assert "classifier.weight" not in read_state_dict(there).tensors
    error = run("convert", there, tmp_path / "x.keras", "--head", "classification", code=1).stderr
    assert "needs a classifier" in error
    run("convert", there, tmp_path / "x.keras")
    assert keras.saving.load_model(tmp_path / "x.keras").output_shape == (None, 512)


def test_a_model_that_takes_pixels(run, checkpoint, tmp_path):
    path = tmp_path / "model.keras"
    run("convert", checkpoint, path, "--head", "embedding", "--include-preprocessing")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 256, 128, 3), "uint8")
    original = keras_osnet.OSNet(0.25, head="embedding", weights=checkpoint)
    expected = original(keras_osnet.preprocess_input(pixels))
    actual = keras.saving.load_model(path)(pixels)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    error = run("convert", checkpoint, tmp_path / "x.pth", "--include-preprocessing", code=1).stderr
    assert "needs a .keras destination" in error


def test_nothing_is_overwritten_unless_forced(run, checkpoint, tmp_path):
    there = tmp_path / "there.safetensors"
    there.write_text("precious")
    assert "--force" in run("convert", checkpoint, there, code=1).stderr
    assert there.read_text() == "precious"
    run("convert", checkpoint, there, "--force")
    assert len(read_state_dict(there).tensors) == 567


def test_a_source_that_fails_leaves_the_destination(run, tmp_path):
    source, there = tmp_path / "source.pth", tmp_path / "there.safetensors"
    source.write_bytes(b"no checkpoint")
    there.write_text("precious")
    assert "source.pth" in run("convert", source, there, "--force", code=1).stderr
    assert there.read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 2


def test_errors(run, checkpoint, tmp_path):
    assert "must end in one of .pth" in run("convert", checkpoint, "x.onnx", code=1).stderr
    error = run("convert", checkpoint, tmp_path / "no" / "x.pth", code=1).stderr
    assert "folder that exists" in error
    assert "is a directory" in run("convert", checkpoint, tmp_path, code=2).stderr
    error = run("convert", "no.pth", tmp_path / "x.keras", code=1).stderr
    assert error.endswith("does not exist. Received: no.pth\n")
    error = run("convert", checkpoint, tmp_path / "x.keras", "--variant", "ain", code=1).stderr
    assert "holds --variant base. Received: --variant ain" in error


@pytest.mark.large
def test_commands_of_the_page_on_migration(run, checkpoint, tmp_path):
    """With torchreid's own file name, and a file of Lightning that holds two networks."""
    tensors = read_torch_checkpoint(checkpoint)
    write_torch_checkpoint(tmp_path / "model.pth.tar-60", tensors, wrapper="state_dict")
    two = {f"student.{name}": array for name, array in tensors.items()}
    two |= {f"teacher.{name}": array + 1 for name, array in tensors.items()}
    write_torch_checkpoint(tmp_path / "last.ckpt", two, wrapper="state_dict")
    page = (Path(__file__).parents[2] / "docs" / "migrate_from_torchreid.md").read_text("utf-8")
    lines = re.findall(r"^keras-osnet ((?:convert|info) .*)$", page, re.MULTILINE)
    assert len(lines) == 4
    outputs = []
    for line in lines:
        words = [str(tmp_path / word) if "." in word else word for word in shlex.split(line)]
        words[-1] = words[-1].removeprefix(f"{tmp_path}/") if "--key" in words else words[-1]
        outputs.append(run(*words).stdout)
    assert "  487 tensors used, from 'state_dict' in the source" in outputs[0]
    assert "567 (" in outputs[2]
    assert re.search(r"^place +state_dict *$", outputs[2], re.MULTILINE)
    assert "  487 tensors used, from 'state_dict.student' in the source" in outputs[3]
    assert "  567 skipped: beside the network in 'state_dict.student'" in outputs[3]
    for name in ("model.pth.tar", "student.keras"):
        same(tensors, read_state_dict(tmp_path / name).tensors)
    error = run("info", "--weights", tmp_path / "last.ckpt", code=1).stderr
    assert "--key must name one of the places" in error
    assert "'state_dict.student', 'state_dict.teacher'" in error
