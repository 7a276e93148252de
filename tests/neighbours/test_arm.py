"""The aarch64 build of LiteRT, emulated, computes the embeddings of this machine."""

import numpy as np
import pytest
from arm import ArmPython, compare

from keras_osnet.deploy import export
from keras_osnet.synthetic import synthetic_people


@pytest.fixture(scope="module")
def arm(kept):
    try:
        return ArmPython(kept / "arm")
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def images(crops):
    return np.load(crops.folder / "crops.npy")


def test_float32(arm, model, images, tmp_path):
    export(model, tmp_path / "float32.tflite")
    result = compare(arm, tmp_path / "float32.tflite", images)
    assert result.largest_difference < 1e-5
    assert result.lowest_cosine > 0.999999


def test_int8(arm, model, images, tmp_path):
    """Floats between the integer layers differ in the last bit, which can round to another step."""
    calibration = synthetic_people(64, views=1).images
    export(model, tmp_path / "int8.tflite", quantization="int8", calibration=calibration)
    result = compare(arm, tmp_path / "int8.tflite", images)
    assert result.exact >= len(images) // 2
    assert result.lowest_cosine > 0.995


def test_without_an_emulator(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="apt-get install qemu-user-static"):
        ArmPython(tmp_path)
