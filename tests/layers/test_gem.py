"""Generalized-mean pooling against plain loops, and where powers are dangerous."""

import keras
import numpy as np
import pytest
from gradients import gradient, numerical_gradient
from keras import ops

from keras_osnet.layers import GeM

pytestmark = pytest.mark.backends

MAPS = np.random.default_rng(0).uniform(0, 3, (2, 3, 2, 4)).astype("float32")


def plain(maps, exponent):
    batch, height, width, channels = maps.shape
    pooled = np.zeros((batch, channels))
    for b, c in np.ndindex(batch, channels):
        powers = [
            max(float(maps[b, i, j, c]), 1e-6) ** exponent for i, j in np.ndindex(height, width)
        ]
        pooled[b, c] = (sum(powers) / len(powers)) ** (1 / exponent)
    return pooled


@pytest.mark.parametrize("exponent", [1.0, 3.0, 6.5])
def test_equals_plain_loops(exponent):
    maps = MAPS * (MAPS > 1)  # as after a ReLU
    pooled = ops.convert_to_numpy(GeM(exponent)(maps))
    np.testing.assert_allclose(pooled, plain(maps, exponent), rtol=1e-5, atol=1e-6)


def test_it_is_between_the_mean_and_the_maximum():
    mean = ops.convert_to_numpy(GeM(1.0)(MAPS))
    np.testing.assert_allclose(mean, MAPS.mean(axis=(1, 2)), rtol=1e-5)
    pooled = ops.convert_to_numpy(GeM(200.0)(MAPS))
    np.testing.assert_allclose(pooled, MAPS.max(axis=(1, 2)), rtol=1e-2)


def test_gradients_are_the_slopes():
    layer = GeM()
    layer.build(MAPS.shape)

    def of_maps(_, maps):
        return ops.sum(ops.square(layer(maps)))

    maps = MAPS[:1, :2, :, :2] + 0.5
    slopes = numerical_gradient(of_maps, None, maps)
    np.testing.assert_allclose(gradient(of_maps, None, maps), slopes, atol=1e-2)

    def of_exponent(_, exponent):
        mean = ops.mean(ops.power(ops.convert_to_tensor(maps), exponent), axis=(1, 2))
        return ops.sum(ops.square(ops.power(mean, 1 / exponent)))

    expected = numerical_gradient(of_exponent, None, np.array([3.0], "float32"))
    image = keras.Input(maps.shape[1:])
    model = keras.Model(image, GeM()(image))
    model.compile(keras.optimizers.SGD(0.001), loss=lambda _, y: ops.sum(ops.square(y)))
    model.train_on_batch(maps, np.zeros((1, 2)))
    assert (3 - model.get_weights()[0]) / 0.001 == pytest.approx(expected, rel=2e-2)


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-8, 6e4])
def test_gradients_are_finite_for_zeros_negatives_and_the_largest_half(value):
    layer = GeM(10.0, dtype="mixed_float16")
    maps = ops.cast(ops.cast(np.full((1, 2, 2, 3), value), "float16"), "float32")

    def total(_, maps):
        return ops.sum(layer(maps))

    assert np.isfinite(gradient(total, None, maps)).all()
    half = layer(ops.cast(maps, "float16"))
    assert keras.backend.standardize_dtype(half.dtype) == "float32"
    expected = max(float(maps[0, 0, 0, 0]), 1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(half), expected, rtol=1e-4)


def test_the_exponent_stays_at_1_or_above():
    image = keras.Input((2, 2, 1))
    model = keras.Model(image, GeM(1.1)(image))
    # The loss falls with the exponent, so that the step would lead far below 1.
    model.compile(keras.optimizers.SGD(1e3), loss=lambda _, y: ops.sum(y))
    model.train_on_batch(np.array([[[[0.1], [0.2]], [[3.0], [0.4]]]]), np.zeros((1, 1)))
    assert model.get_weights()[0].tolist() == [1.0]


def test_configuration_and_other_inputs():
    layer = GeM(2.5, name="pooled")
    again = GeM.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    with pytest.raises(ValueError, match=r"`exponent` must be.*Received: 0.5"):
        GeM(0.5)
    with pytest.raises(ValueError, match=r"GeM.*Received"):
        GeM()(np.zeros((2, 3)))
