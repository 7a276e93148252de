import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_osnet.architecture import OSNetModel

pytestmark = pytest.mark.backends

SIZE = (32, 16)
SMALL = {"width": 0.25, "depths": (1, 1, 1), "streams": 1, "feature_dim": 8}

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="no pipeline on other backends"
)


@pytest.fixture(scope="module")
def model():
    return OSNetModel(
        **SMALL, input_shape=(*SIZE, 3), head="embedding", include_preprocessing=True, name="tiny"
    )


@pytest.fixture
def given_to_keras(monkeypatch):
    """What `predict` hands to Keras's own, each call of it."""
    calls = []
    own = keras.Model.predict

    def predict(self, x, *arguments, **options):
        calls.append(x)
        return own(self, x, *arguments, **options)

    monkeypatch.setattr(keras.Model, "predict", predict)
    return calls


def images_of(count):
    return np.random.default_rng(count).integers(0, 256, (count, *SIZE, 3), "uint8")


@pytest.mark.parametrize(("count", "batch_size"), [(1, None), (40, None), (4, 4), (8, 4), (9, 4)])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_predictions_are_those_of_keras(model, count, dtype, batch_size):
    images = images_of(count).astype(dtype)
    expected = keras.Model.predict(model, images, batch_size, verbose=0)
    found = model.predict(images, batch_size, verbose=0)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_what_is_no_array_is_left_to_keras(model):
    images = images_of(5)
    expected = model.predict(images, verbose=0)
    found = model.predict(keras.ops.convert_to_tensor(images), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    found = model.predict(((images[start : start + 2],) for start in (0, 2)), verbose=0)
    np.testing.assert_allclose(found, expected[:4], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("count", [2, 9])
def test_several_outputs(count):
    model = OSNetModel(**SMALL, input_shape=(*SIZE, 3), outputs=["embedding", "conv1"])
    found = model.predict(images_of(count), batch_size=4, verbose=0)
    assert {name: value.shape for name, value in found.items()} == {
        "embedding": (count, 8),
        "conv1": (count, 16, 8, 16),
    }


@pytest.mark.parametrize("shape", [(0, *SIZE, 3), (2, 7), (9, *SIZE, 4), (2, 33, 16, 3), ()])
def test_images_of_the_wrong_shape(model, shape):
    message = rf"tiny.*shape \(None, 32, 16, 3\).*Received: shape {re.escape(str(shape))}"
    with pytest.raises(ValueError, match=message):
        model.predict(np.zeros(shape, "uint8"), batch_size=4, verbose=0)


def test_a_model_of_any_size_takes_any():
    model = OSNetModel(**SMALL, input_shape=(None, None, 3), head="embedding")
    for size in ((32, 16), (16, 16)):
        assert model.predict(np.zeros((2, *size, 3), "float32"), verbose=0).shape == (2, 8)


@on_tensorflow
@pytest.mark.parametrize("batch_size", [-1, "8"])
def test_batch_sizes_that_keras_refuses(model, batch_size):
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever Keras raises
        keras.Model.predict(model, images_of(2), batch_size, verbose=0)
    with pytest.raises(expected.type):
        model.predict(images_of(2), batch_size, verbose=0)


def test_callbacks_steps_and_progress(model, capsys):
    ends = []

    class Ends(keras.callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            ends.append((batch, logs["outputs"].shape))

    assert len(model.predict(images_of(3), verbose=0, callbacks=[Ends()])) == 3
    assert ends == [(0, (3, 8))]
    assert len(model.predict(images_of(9), 4, verbose=0, steps=2)) == 8
    assert not capsys.readouterr().out
    model.predict(images_of(3), verbose=1)
    assert "1/1" in capsys.readouterr().out


@on_tensorflow
def test_one_batch_needs_no_pipeline(model, given_to_keras):
    model.predict(images_of(4), batch_size=4)
    assert given_to_keras == []


@on_tensorflow
def test_the_pipeline_of_several_does_not_wait(model, given_to_keras):
    model.predict(images_of(5), batch_size=4, verbose=0)
    (batches,) = given_to_keras
    assert batches.options().autotune.enabled is False


@on_tensorflow
def test_several_devices_are_left_to_keras(model, monkeypatch):
    monkeypatch.setattr(model, "_distribute_strategy", SimpleNamespace(num_replicas_in_sync=2))
    monkeypatch.setattr(keras.Model, "predict", lambda self, x, *_: x)
    images = images_of(2)
    assert model.predict(images, verbose=0) is images
