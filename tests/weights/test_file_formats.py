"""Formats by the ending of a file's name."""

import sys
from pathlib import Path

import pytest

from keras_osnet.weights.file_formats import (
    KERAS,
    KERAS_H5,
    SAFETENSORS,
    TORCH,
    destination_format,
    file_format,
)
from keras_osnet.weights.safetensors import read_safetensors


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.pth", TORCH),
        ("a.pth.tar", TORCH),
        ("a.pyth", TORCH),
        ("folder.keras/a.pt", TORCH),
        ("a.safetensors", SAFETENSORS),
        ("a.keras", KERAS),
        ("a.b.weights.h5", KERAS_H5),
    ],
)
def test_known_endings(name, kind):
    assert file_format(name) == file_format(Path(name)) == kind
    assert destination_format(name) == kind


def test_an_epoch_may_follow_the_ending_of_what_is_read():
    assert file_format("log/model.pth.tar-60") == TORCH
    with pytest.raises(ValueError, match=r"`destination` must end in .*Received: a.pth.tar-60"):
        destination_format("a.pth.tar-60")


@pytest.mark.parametrize(
    "name", ["a.h5", "a.tar", "pth", "a.keras/", "a.onnx", "", "a.pth-6", "a.pth.tar-"]
)
def test_other_endings_are_refused(name):
    with pytest.raises(ValueError, match=r"`destination` must end in one of \.pth.*Received: "):
        destination_format(name)
    with pytest.raises(ValueError, match=r"`weights` must end in one of \.pth.*Received: "):
        file_format(name)


def test_without_safetensors(monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r'pip install "keras-osnet\[safetensors\]"'):
        read_safetensors("a.safetensors")
