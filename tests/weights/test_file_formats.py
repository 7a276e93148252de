"""Formats by the ending of a file's name."""

import sys
from pathlib import Path

import pytest

from keras_osnet.weights.file_formats import KERAS, KERAS_H5, SAFETENSORS, TORCH, file_format
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


@pytest.mark.parametrize("name", ["a.h5", "a.tar", "pth", "a.keras/", "a.onnx", ""])
def test_other_endings_are_refused(name):
    with pytest.raises(ValueError, match=r"`destination` must end in one of \.pth.*Received: "):
        file_format(name, "destination")


def test_without_safetensors(monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r'pip install "keras-osnet\[safetensors\]"'):
        read_safetensors("a.safetensors")
