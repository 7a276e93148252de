"""Channels are rescaled where nothing changes by it."""

import keras
import numpy as np
import pytest
from int8_networks import lite_network, smooth_images
from keras import layers

import keras_osnet
from keras_osnet.deploy import fold_batch_norm
from keras_osnet.deploy.int8.channel_equalization import FIXED, ChannelGroups, equalize, rescale
from keras_osnet.deploy.int8.graph import prepared

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="int8 is calibrated on TensorFlow"
)


def group_of(groups, name):
    return next(groups.group(step.output) for step in groups.steps if step.layer.name == name)


def random_factors(groups):
    rng = np.random.default_rng(0)
    return {
        groups.group(step.output): rng.uniform(0.1, 10, step.tensor.shape[-1]).astype("float32")
        for step in groups.steps
        if groups.group(step.output) != FIXED
    }


def test_streams_that_are_summed_share_their_factors():
    groups = ChannelGroups(lite_network())
    assert group_of(groups, "depthwise1") == group_of(groups, "depthwise2") != FIXED
    assert group_of(groups, "stem") == group_of(groups, "expand") != FIXED
    pointwise = [group_of(groups, f"pointwise{number}") for number in (1, 2)]
    assert len({FIXED, *pointwise}) == 3


def test_what_is_not_homogeneous_is_left_alone():
    groups = ChannelGroups(lite_network())
    assert group_of(groups, "excite") == FIXED
    assert group_of(groups, "preprocessing") == FIXED
    assert group_of(groups, "fc") == FIXED


@pytest.mark.parametrize("layer", [layers.ReLU(max_value=6), layers.Activation("sigmoid")])
def test_other_activations_fix_their_group(layer):
    image = keras.Input((8, 8, 4))
    maps = layer(layers.Conv2D(4, 1, name="before")(image))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1)(maps)))
    assert group_of(ChannelGroups(model), "before") == FIXED


@pytest.mark.large
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"variant": "ain"},
        {"variant": "ibn"},
        {"fusion": "concatenation"},
        {"fusion": "separate"},
        {"fusion": "fixed"},
    ],
    ids=lambda arguments: "-".join(arguments.values()) or "base",
)
def test_any_factors_leave_the_function_as_it_is(arguments):
    keras.utils.set_random_seed(0)
    streams = {} if "variant" in arguments else {"depths": (1, 1, 1), "streams": 2}
    model = keras_osnet.OSNet(
        0.25, head="embedding", input_shape=(64, 32, 3), **streams, **arguments
    )
    model = prepared(fold_batch_norm(model))
    images = np.random.default_rng(0).normal(size=(4, 64, 32, 3)).astype("float32")
    before = model(images).numpy()
    groups = ChannelGroups(model)
    factors = random_factors(groups)
    assert len(factors) > 5
    rescale(groups, factors)
    np.testing.assert_allclose(model(images), before, atol=1e-5 * np.abs(before).max())


def test_equalizing_evens_the_ranges_before_a_depthwise_convolution():
    model = prepared(lite_network(dtype="float32"))
    images = smooth_images()
    before = model(images).numpy()
    equalize(model, images)
    np.testing.assert_allclose(model(images), before, atol=1e-6 * np.abs(before).max())
    maps = keras.Model(model.input, model.get_layer("pointwise1").output)
    largest = np.abs(maps(images)).max(axis=(0, 1, 2))
    np.testing.assert_allclose(largest, largest[0], rtol=1e-4)


def test_a_dead_channel_is_left_alone():
    model = prepared(lite_network(dtype="float32"))
    layer = model.get_layer("pointwise1")
    kernel, bias = layer.get_weights()
    kernel[..., 3] = 0
    layer.set_weights([kernel, bias])
    before = model(smooth_images()).numpy()
    equalize(model, smooth_images())
    np.testing.assert_allclose(model(smooth_images()), before, atol=1e-6 * np.abs(before).max())
    assert np.isfinite(layer.get_weights()[0]).all()
