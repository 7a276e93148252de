"""Batch norm: its moments are torchreid's, and all ways to compute it agree."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_osnet.layers import BatchNorm

pytestmark = pytest.mark.backends

RNG = np.random.default_rng(0)
MAPS = RNG.normal(2.0, 3.0, (4, 6, 5, 8)).astype("float32")
VECTORS = RNG.normal(2.0, 3.0, (4, 8)).astype("float32")


def built(inputs, **arguments):
    norm = BatchNorm(momentum=0.9, epsilon=1e-5, **arguments)
    norm.build(inputs.shape)
    rng = np.random.default_rng(1)
    norm.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in norm.weights])
    return norm


@pytest.mark.parametrize("inputs", [MAPS, VECTORS], ids=["maps", "vectors"])
def test_training_is_the_references(inputs):
    norm = built(inputs)
    gamma, beta, moving_mean, moving_variance = norm.get_weights()
    outputs = ops.convert_to_numpy(norm(inputs, training=True))

    rows = inputs.reshape(-1, inputs.shape[-1]).astype("float64")
    mean, variance = rows.mean(0), rows.var(0)
    expected = (inputs - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    _, _, mean_after, variance_after = norm.get_weights()
    np.testing.assert_allclose(mean_after, 0.9 * moving_mean + 0.1 * mean, rtol=1e-5)
    unbiased = rows.var(0, ddof=1)
    np.testing.assert_allclose(variance_after, 0.9 * moving_variance + 0.1 * unbiased, rtol=1e-5)


def test_statistics_stay_outside_of_training_and_when_frozen():
    norm = built(MAPS)
    before = norm.get_weights()
    expected = (MAPS - before[2]) / np.sqrt(before[3] + 1e-5) * before[0] + before[1]
    for frozen in (False, True):
        norm.trainable = not frozen
        outputs = ops.convert_to_numpy(norm(MAPS, training=frozen))
        np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    for one, other in zip(before, norm.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_batch_of_one_vector_is_finite():
    norm = built(VECTORS[:1])
    norm(VECTORS[:1], training=True)
    assert all(np.isfinite(weight).all() for weight in norm.get_weights())


@pytest.mark.parametrize("arguments", [{"scale": False}, {"center": False}], ids=str)
def test_without_scale_or_center(arguments):
    norm = built(MAPS, **arguments)
    outputs = ops.convert_to_numpy(norm(MAPS, training=True))
    weights = {weight.name: ops.convert_to_numpy(weight) for weight in norm.weights}
    rows = MAPS.reshape(-1, 8).astype("float64")
    expected = (MAPS - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5)
    expected = expected * weights.get("gamma", 1.0) + weights.get("beta", 0.0)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_keeps_its_statistics_in_float32(policy):
    norm = built(MAPS, dtype=policy)
    outputs = norm(MAPS.astype("float16"), training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == norm.compute_dtype
    full = built(MAPS)
    full(MAPS, training=True)
    for half, whole in zip(norm.get_weights(), full.get_weights(), strict=True):
        assert half.dtype == np.float32
        np.testing.assert_allclose(half, whole, rtol=0.02)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="has two ways to compute it")
def test_the_fused_kernel_has_the_plain_ways_gradients():
    import tensorflow as tf

    weight = RNG.standard_normal(MAPS.shape).astype("float32")
    found = []
    for fused in (True, False):
        norm = built(MAPS)
        norm._fused = fused
        with tf.GradientTape() as tape:
            maps = tf.constant(MAPS)
            tape.watch(maps)
            total = tf.reduce_sum(norm(maps, training=True) * weight)
        watched = [maps, norm.gamma.value, norm.beta.value]
        found.append([gradient.numpy() for gradient in tape.gradient(total, watched)])
    for fused, plain in zip(*found, strict=True):
        np.testing.assert_allclose(fused, plain, atol=2e-5 * np.abs(plain).max())


def test_it_is_saved_as_keras_saves_layers(tmp_path):
    image = keras.Input((6, 5, 8))
    model = keras.Model(image, BatchNorm(name="norm")(image))
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert isinstance(loaded.get_layer("norm"), BatchNorm)
    np.testing.assert_array_equal(loaded.predict(MAPS, verbose=0), model.predict(MAPS, verbose=0))
