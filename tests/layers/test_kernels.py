"""The forms of a convolution: one by one, in float64, against plain loops."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from keras_osnet.layers import BatchNorm, ConvNorm2D, LiteConv2D, kernels

pytestmark = pytest.mark.backends

RNG = np.random.default_rng(0)
BACKEND = keras.backend.backend()


@pytest.fixture(autouse=True)
def float64():
    """Let JAX have float64, which it rounds to float32 by itself."""
    if BACKEND != "jax":
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield


def by_loops(maps, kernel, bias, strides=1, depthwise=False):
    """The convolution as it is defined, zeros around the maps."""
    size, margin = kernel.shape[0], kernel.shape[0] // 2
    framed = np.pad(maps, [(0, 0), (margin, margin), (margin, margin), (0, 0)])
    rows = range(0, maps.shape[1], strides)
    columns = range(0, maps.shape[2], strides)
    filters = maps.shape[-1] if depthwise else kernel.shape[-1]
    outputs = np.empty((len(maps), len(rows), len(columns), filters))
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            seen = framed[:, row : row + size, column : column + size]
            if depthwise:
                outputs[:, y, x] = (seen * kernel[..., 0]).sum((1, 2))
            else:
                outputs[:, y, x] = np.einsum("bhwc,hwcf->bf", seen, kernel)
    return outputs if bias is None else outputs + bias


def compare(form, maps, kernel, bias, expected):
    given = [None if each is None else ops.convert_to_tensor(each) for each in (maps, kernel, bias)]
    outputs = ops.convert_to_numpy(form(*given))
    assert outputs.dtype == np.float64
    np.testing.assert_allclose(outputs, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("size", "strides"), [(1, 1), (3, 1), (3, 2), (7, 2)])
def test_convolve(size, strides, batch, biased):
    maps, kernel = RNG.normal(size=(batch, 6, 5, 4)), RNG.normal(size=(size, size, 4, 3))
    bias = RNG.normal(size=3) if biased else None
    form = functools.partial(kernels.convolve, strides=strides)
    compare(form, maps, kernel, bias, by_loops(maps, kernel, bias, strides))


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(("size", "channels"), [(1, 4), (3, 4), (3, 1), (5, 2)])
def test_depthwise(size, channels, biased):
    maps, kernel = RNG.normal(size=(2, 6, 5, channels)), RNG.normal(size=(size, size, channels, 1))
    bias = RNG.normal(size=channels) if biased else None
    expected = by_loops(maps, kernel, bias, depthwise=True)
    compare(kernels.convolve_depthwise, maps, kernel, bias, expected)


@pytest.mark.parametrize("biased", [True, False])
def test_product(biased):
    maps, kernel = RNG.normal(size=(2, 6, 5, 4)), RNG.normal(size=(1, 1, 4, 3))
    bias = RNG.normal(size=3) if biased else None
    compare(kernels._as_product, maps, kernel, bias, by_loops(maps, kernel, bias))


@pytest.mark.parametrize(
    "make",
    [
        functools.partial(ConvNorm2D, 6),
        functools.partial(ConvNorm2D, 6, kernel_size=3, strides=2),
        functools.partial(ConvNorm2D, 4),
        functools.partial(LiteConv2D, 6),
        functools.partial(LiteConv2D, 1),
    ],
)
@pytest.mark.parametrize("batch", [1, 3])
def test_folding_is_the_norm(make, batch):
    maps = RNG.normal(size=(batch, 6, 5, 4))
    layer = make(dtype="float64")
    layer.build(maps.shape)
    layer.norm.set_weights([RNG.uniform(0.5, 1.5, weight.shape) for weight in layer.norm.weights])
    gamma, beta, mean, variance = layer.norm.get_weights()
    if isinstance(layer, LiteConv2D):
        maps_before = by_loops(maps, *layer.pointwise.get_weights(), None)
        maps_before = by_loops(maps_before, *layer.depthwise.get_weights(), None, depthwise=True)
    else:
        maps_before = by_loops(maps, *layer.convolution.get_weights(), None, layer.strides)
    expected = (maps_before - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    outputs = ops.convert_to_numpy(layer(maps, training=False))
    np.testing.assert_allclose(outputs, np.maximum(expected, 0), rtol=1e-12, atol=1e-12)
    layer.norm.trainable = False
    frozen = ops.convert_to_numpy(layer(maps, training=True))
    np.testing.assert_array_equal(frozen, outputs)


@pytest.mark.parametrize("arguments", [{"scale": False}, {"center": False}], ids=str)
def test_folding_without_scale_or_center(arguments):
    norm = BatchNorm(dtype="float64", **arguments)
    norm.build((None, None, None, 3))
    norm.set_weights([RNG.uniform(0.5, 1.5, weight.shape) for weight in norm.weights])
    kernel, maps = RNG.normal(size=(3, 3, 4, 3)), RNG.normal(size=(2, 6, 5, 4))
    weights = {weight.name: ops.convert_to_numpy(weight) for weight in norm.weights}
    maps_before = by_loops(maps, kernel, None) - weights["moving_mean"]
    expected = maps_before / np.sqrt(weights["moving_variance"] + norm.epsilon)
    expected = expected * weights.get("gamma", 1.0) + weights.get("beta", 0.0)
    compare(kernels.convolve, maps, *norm.folded_into(ops.convert_to_tensor(kernel)), expected)


def test_half_precision_is_folded_in_float32():
    norm = BatchNorm(dtype="mixed_bfloat16")
    norm.build((None, None, None, 2))
    norm.set_weights([np.array([1.0, 3.0])] * 4)
    kernel, bias = norm.folded_into(ops.ones((1, 1, 5, 2), "bfloat16"))
    assert {keras.backend.standardize_dtype(each.dtype) for each in (kernel, bias)} == {"bfloat16"}
    scale = np.array([1.0, 3.0]) / np.sqrt(np.array([1.0, 3.0]) + 1e-3)
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(kernel, "float32"))[0, 0, 0], scale, rtol=2**-8
    )


def gradients(function, *given):
    """Of the sum of a function's values, by all that it is given."""
    tensors = [ops.convert_to_tensor(each) for each in given]
    if BACKEND == "jax":
        import jax

        found = jax.grad(lambda *each: function(*each).sum(), range(len(given)))(*tensors)
    elif BACKEND == "torch":
        leaves = [tensor.requires_grad_() for tensor in tensors]
        function(*leaves).sum().backward()
        found = [leaf.grad for leaf in leaves]
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            total = tf.reduce_sum(function(*tensors))
        found = tape.gradient(total, tensors)
    return [ops.convert_to_numpy(each) for each in found]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("size", [3, 5])
def test_gradients_of_depthwise(size, batch):
    maps, kernel = RNG.normal(size=(batch, 6, 5, 4)), RNG.normal(size=(size, size, 4, 1))
    weights = RNG.normal(size=maps.shape)
    weighted = ops.convert_to_tensor(weights)
    found = gradients(
        lambda maps, kernel: kernels.convolve_depthwise(maps, kernel) * weighted, maps, kernel
    )
    of_maps = by_loops(weights, kernel[::-1, ::-1], None, depthwise=True)
    np.testing.assert_allclose(found[0], of_maps, rtol=1e-12, atol=1e-12)
    margin = size // 2
    framed = np.pad(maps, [(0, 0), (margin, margin), (margin, margin), (0, 0)])
    for row in range(size):
        for column in range(size):
            seen = framed[:, row : row + 6, column : column + 5]
            expected = (seen * weights).sum((0, 1, 2))
            np.testing.assert_allclose(found[1][row, column, :, 0], expected, rtol=1e-11)


@pytest.mark.parametrize("shape", [(7, 4), (3, 6, 5, 4)], ids=str)
@pytest.mark.parametrize("arguments", [{}, {"scale": False, "center": False}], ids=str)
def test_gradients_of_the_norm(shape, arguments):
    """They go through the moments; by differences, as no other form of it is independent."""
    norm = BatchNorm(dtype="float64", **arguments)
    norm.build(shape)
    norm.set_weights([RNG.uniform(0.5, 1.5, weight.shape) for weight in norm.weights])
    inputs, weights = RNG.normal(size=shape), RNG.normal(size=shape)

    def value(inputs):
        outputs = norm(ops.convert_to_tensor(inputs), training=True)
        return float((ops.convert_to_numpy(outputs) * weights).sum())

    weighted = ops.convert_to_tensor(weights)
    (found,) = gradients(lambda inputs: norm(inputs, training=True) * weighted, inputs)
    step = 1e-6
    for place in RNG.integers(0, shape, (8, len(shape))):
        shift = np.zeros(shape)
        shift[tuple(place)] = step
        expected = (value(inputs + shift) - value(inputs - shift)) / (2 * step)
        np.testing.assert_allclose(found[tuple(place)], expected, rtol=1e-6, atol=1e-7)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the other backends know every shape")
def test_unknown_sides_and_batches():
    import tensorflow as tf

    maps, kernel = RNG.normal(size=(1, 6, 5, 4)), RNG.normal(size=(1, 1, 4, 3))
    for shape in ((1, None, None, 4), (None, 6, 5, 4)):
        function = tf.function(
            lambda given: kernels.convolve(given, kernel),
            input_signature=[tf.TensorSpec(shape, "float64")],
        )
        np.testing.assert_allclose(function(maps), by_loops(maps, kernel, None), rtol=1e-12)
