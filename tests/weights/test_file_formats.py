"""Files are read by their content, whatever their names, and written by their names."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_osnet
from keras_osnet.weights import save_safetensors, to_torchreid, write_torch_checkpoint
from keras_osnet.weights.file_formats import (
    KERAS,
    KERAS_H5,
    SAFETENSORS,
    TORCH,
    destination_format,
    file_format,
    is_weights_name,
)
from keras_osnet.weights.safetensors import read_safetensors

KINDS = {
    "a.pth": TORCH,
    "a.safetensors": SAFETENSORS,
    "a.keras": KERAS,
    "a.weights.h5": KERAS_H5,
}
OTHER_NAMES = ("model", "MODEL.PTH", "model.pth.tar-60", "pytorch_model.bin", "a.keras", "a b.ckpt")


@pytest.fixture(scope="module")
def model():
    return keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    model.save(folder / "a.keras")
    model.save_weights(folder / "a.weights.h5")
    save_safetensors(model, folder / "a.safetensors")
    write_torch_checkpoint(folder / "a.pth", to_torchreid(model), wrapper="state_dict")
    return folder


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_the_name_does_not_matter(name, kind, folder, tmp_path):
    for other in OTHER_NAMES:
        path = tmp_path / other
        path.write_bytes((folder / name).read_bytes())
        assert file_format(path) == file_format(str(path)) == kind


@pytest.mark.parametrize(
    "name",
    ["a.pth", "a.safetensors", "a.weights.h5", pytest.param("a.keras", marks=pytest.mark.large)],
)
def test_every_kind_loads_under_another_name(name, model, folder, tmp_path):
    path = tmp_path / "WEIGHTS.BIN"
    path.write_bytes((folder / name).read_bytes())
    loaded = keras_osnet.load_model(path, width=0.25, head="embedding")
    np.testing.assert_array_equal(
        loaded.get_layer("conv5").get_weights()[0], model.get_layer("conv5").get_weights()[0]
    )
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.large
def test_a_whole_keras_model_loads_under_another_name(folder, tmp_path):
    path = tmp_path / "best"
    path.write_bytes((folder / "a.keras").read_bytes())
    assert keras_osnet.load_model(path).input_shape == (None, 64, 32, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "this file is empty"),
        (b"hello", "this file begins b'hello'"),
        (b"\x1c\0\0\0TFL3" + bytes(100), "is a LiteRT model, which .*Embedder opens"),
        (b'<?xml version="1.0"?><net>', "is an OpenVINO model"),
        (b"\x08\x08\x12\x07pytorch", "is an ONNX model"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "is a pointer of Git LFS"),
        (b"\x1f\x8b\x08" + bytes(20), "is compressed by gzip"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b'{"weight_map": {}}', "is text, such as"),
        (b"\xff" * 8 + b"{}", r"begins b'\\xff"),
    ],
)
def test_other_files_are_named(content, message, tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{message}.*Received: .*a.pth"):
        file_format(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_and_devices_are_refused_before_they_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.pth")
    for path, kind in ((tmp_path / "pipe.pth", "named pipe"), (Path("/dev/zero"), "device")):
        for read in (
            file_format,
            keras_osnet.load_model,
            keras_osnet.weights.read_torch_checkpoint,
            lambda path: keras_osnet.OSNet(0.25, weights=path),
        ):
            with pytest.raises(ValueError, match=f"not a {kind}"):
                read(path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [*KINDS.items(), ("a.pth.tar", TORCH), ("a.pyth", TORCH), ("a.keras/a.pt", TORCH)],
)
def test_known_endings(name, kind):
    assert destination_format(name) == destination_format(Path(name)) == kind
    assert is_weights_name(name)
    assert is_weights_name(name.upper())


def test_an_epoch_may_follow_the_ending_of_what_is_read():
    assert is_weights_name("log/model.pth.tar-60")
    with pytest.raises(ValueError, match=r"`destination` must end in .*Received: a.pth.tar-60"):
        destination_format("a.pth.tar-60")


@pytest.mark.parametrize(
    "name", ["a.h5", "a.tar", "pth", "a.keras/", "a.onnx", "", "a.pth-6", "a.pth.tar-"]
)
def test_other_endings_are_refused(name):
    with pytest.raises(ValueError, match=r"`destination` must end in one of \.pth.*Received: "):
        destination_format(name)
    assert not is_weights_name(name)


def test_without_safetensors(monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r'pip install "keras-osnet\[safetensors\]"'):
        read_safetensors("a.safetensors")


@pytest.mark.parametrize("weights", [None, 5, b"x", ["a.pth"], 1.5, {}])
def test_what_is_neither_a_tag_nor_a_path(weights):
    with pytest.raises(ValueError, match=r"`weights` must be .*a tag.*Received: "):
        keras_osnet.load_model(weights)
