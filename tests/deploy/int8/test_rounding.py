"""Kernels are rounded to what their inputs need, and grids hold what they must."""

import keras
import numpy as np
import pytest

from keras_osnet.deploy.int8.rounding import (
    LARGEST,
    Grid,
    Moments,
    compute,
    rounded,
    weight_scales,
)

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="int8 is calibrated on TensorFlow"
)
RNG = np.random.default_rng(0)


def correlated(count, size):
    return RNG.normal(size=(count, size)) @ RNG.normal(size=(size, size)) + 1.0


def loss(kernel, other, inputs):
    return ((inputs @ (kernel - other)) ** 2).mean()


def test_rounding_loses_less_than_the_nearest_codes():
    inputs = correlated(1000, 24)
    kernel = RNG.normal(size=(24, 16))
    steps = weight_scales(kernel)[None] * 16
    codes = rounded(kernel, steps, np.cov(inputs.T, bias=True))
    centered = inputs - inputs.mean(axis=0)
    nearest = np.round(kernel / steps)
    np.testing.assert_array_equal(codes, np.round(codes))
    assert np.abs(codes).max() <= LARGEST
    assert loss(kernel, codes * steps, centered) < 0.7 * loss(kernel, nearest * steps, centered)


def test_stacked_kernels_are_rounded_each_by_itself():
    # Moments whose diagonals descend alike: alone and stacked, the order of inputs is the same.
    shares = np.diag(np.linspace(2, 1, 9))
    mixed = [shares @ np.corrcoef(correlated(100, 9).T) @ shares for _ in range(5)]
    kernels = RNG.normal(size=(5, 9, 1))
    steps = RNG.uniform(0.1, 0.2, (5, 1, 1))
    together = rounded(kernels, steps, np.stack(mixed))
    for one in range(5):
        alone = rounded(kernels[one], steps[one], mixed[one])
        np.testing.assert_array_equal(together[one], alone)


def test_constant_inputs_give_the_nearest_codes():
    kernel = RNG.normal(size=(6, 4))
    steps = weight_scales(kernel)[None]
    codes = rounded(kernel, steps, np.zeros((6, 6)))
    np.testing.assert_array_equal(codes, np.round(kernel / steps))


def test_steps_of_dead_channels_are_not_near_zero():
    kernel = RNG.normal(size=(8, 4))
    kernel[:, 1] = 0
    kernel[:, 2] *= 1e-12
    scales = weight_scales(kernel)
    assert scales.min() > 1e-4 * scales.max()
    np.testing.assert_allclose(scales[[0, 3]], np.abs(kernel).max(axis=0)[[0, 3]] / LARGEST)
    assert (weight_scales(np.zeros((3, 2))) > 0).all()


def test_pixels_are_on_their_grid():
    grid = Grid.spanning(0, 255)
    pixels = np.arange(256, dtype="float32")
    np.testing.assert_array_equal(grid.nearest(pixels), pixels)
    assert grid == Grid(1.0, -128)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (0.5, 3.0), (-2.0, -1.0), (0.0, 0.0)])
def test_zero_is_on_every_grid_and_what_is_outside_is_cut_off(low, high):
    grid = Grid.spanning(low, high)
    values = np.array([0.0, low, high, 1e9], "float32")
    near = np.asarray(grid.nearest(values))
    assert near[0] == 0
    assert -128 <= grid.zero_point <= 127
    assert np.abs(near[1:3] - values[1:3]).max() <= grid.scale
    assert near[3] <= max(high, 1.0) + grid.scale


@pytest.mark.parametrize("numbers", [1, 2000, 1 << 24])
@pytest.mark.parametrize("kind", ["full", "strided", "pointwise", "depthwise", "dense"])
def test_moments_are_those_of_what_each_output_sees(kind, numbers, monkeypatch):
    monkeypatch.setattr("keras_osnet.deploy.int8.rounding._PATCHES", numbers)
    inputs = RNG.normal(2.0, 1.0, (6, 7, 5, 3)).astype("float32")
    layer = {
        "full": lambda: keras.layers.Conv2D(4, 3, padding="same"),
        "strided": lambda: keras.layers.Conv2D(4, 3, 2),
        "pointwise": lambda: keras.layers.Conv2D(4, 1),
        "depthwise": lambda: keras.layers.DepthwiseConv2D(3, padding="same"),
        "dense": lambda: keras.layers.Dense(4),
    }[kind]()
    inputs = inputs[:, 0, 0] if kind == "dense" else inputs
    results = np.asarray(layer(inputs))
    kernel, bias = layer.get_weights()
    np.testing.assert_allclose(compute(layer, inputs, kernel, bias), results, atol=1e-5)

    moments = Moments.of(layer, inputs, results)
    matrix = moments.as_matrix(kernel)
    np.testing.assert_array_equal(moments.as_kernel(matrix, kernel.shape), kernel)
    # A linear layer's results have these mean and variance.
    mean = np.einsum("...i,...io->...o", moments.mean, matrix).ravel() + bias
    variance = np.einsum("...io,...ij,...jo->...o", matrix, moments.inputs, matrix).ravel()
    flat = results.reshape(-1, results.shape[-1])
    np.testing.assert_allclose(mean, flat.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(variance, flat.var(axis=0), rtol=1e-3)
    np.testing.assert_allclose(moments.missing, flat.mean(axis=0), atol=1e-5)
