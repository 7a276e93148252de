"""Initial values: their distribution, and that they do not depend on the backend."""

import math

import keras
import numpy as np
import pytest

from keras_osnet.layers.initializers import NormalInitializer, depthwise_initializer


def drawn(initializer, shape, dtype="float32"):
    values = initializer(shape, dtype)
    assert keras.backend.standardize_dtype(values.dtype) == dtype
    return keras.ops.convert_to_numpy(keras.ops.cast(values, "float32"))


def test_a_seed_gives_the_same_values_on_every_backend():
    values = drawn(NormalInitializer(0.5, seed=3), (2, 3))
    # NumPy's default_rng(3), times 0.5; a number as well, in case NumPy changes its generator.
    expected = 0.5 * np.random.default_rng(3).standard_normal((2, 3), np.float32)
    np.testing.assert_array_equal(values, expected)
    assert values[0, 0] == pytest.approx(1.208575, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_standard_deviation_of_kernels(dtype):
    values = drawn(NormalInitializer(seed=0), (3, 3, 16, 128), dtype)
    assert values.std() == pytest.approx(math.sqrt(2 / (9 * 128)), rel=0.02)
    assert abs(values.mean()) < 0.001
    depthwise = depthwise_initializer(3, 64)
    assert depthwise.stddev == pytest.approx(math.sqrt(2 / (9 * 64)))


def test_keras_determines_the_seed():
    keras.utils.set_random_seed(5)
    first, second = (drawn(NormalInitializer(), (1, 1, 4, 4)) for _ in range(2))
    keras.utils.set_random_seed(5)
    np.testing.assert_array_equal(drawn(NormalInitializer(), (1, 1, 4, 4)), first)
    assert not np.array_equal(first, second)


def test_it_is_saved_with_its_arguments():
    config = keras.initializers.serialize(NormalInitializer(0.1, seed=2))
    loaded = keras.initializers.deserialize(config)
    assert isinstance(loaded, NormalInitializer)
    np.testing.assert_array_equal(drawn(loaded, (3, 2)), drawn(NormalInitializer(0.1, 2), (3, 2)))
