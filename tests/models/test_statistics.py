"""Preprocessing by a dataset's own mean and standard deviation (supplement, Table 12a)."""

import numpy as np
import pytest

from keras_osnet import OSNet
from keras_osnet.architecture.describe import describe
from keras_osnet.models import load_model

OWN = {"mean": [0.4, 0.5, 0.25], "std": [0.2, 0.25, 0.125]}


@pytest.fixture(scope="module")
def model():
    return OSNet(
        0.25,
        head="embedding",
        input_shape=(64, 32, 3),
        depths=(1, 1, 1),
        include_preprocessing=True,
        **OWN,
    )


def test_pixels_are_normalized_by_them(model):
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 32, 3), "uint8")
    layer = model.get_layer("preprocessing")
    expected = (pixels / 255 - OWN["mean"]) / OWN["std"]
    np.testing.assert_allclose(layer(pixels), expected, rtol=1e-5, atol=1e-6)


def test_a_file_keeps_them(model, tmp_path):
    assert {name: describe(model)[name] for name in OWN} == OWN
    model.save(tmp_path / "own.keras")
    again = load_model(tmp_path / "own.keras", include_preprocessing=True)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 32, 3), "uint8")
    np.testing.assert_allclose(again(pixels), model(pixels), rtol=1e-5, atol=1e-6)


def test_leaving_them_out_is_said(model, tmp_path):
    model.save(tmp_path / "own.keras")
    with pytest.warns(UserWarning, match=r"normalize its images by \{'mean'"):
        load_model(tmp_path / "own.keras", include_preprocessing=False)


def test_imagenets_are_not_described():
    described = describe(
        OSNet(0.25, input_shape=(64, 32, 3), depths=(1, 1, 1), include_preprocessing=True)
    )
    assert described["mean"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (OWN, r"need `include_preprocessing=True`"),
        ({"mean": [0.5] * 3, "include_preprocessing": True}, r"three numbers"),
        ({**OWN, "std": [0.2, 0.0, 0.2], "include_preprocessing": True}, r"three numbers"),
        ({**OWN, "mean": [123.0], "include_preprocessing": True}, r"Received: mean=\[123"),
    ],
)
def test_bad_statistics(arguments, message):
    with pytest.raises(ValueError, match=message):
        OSNet(0.25, **arguments)
