"""An inference model computes what the trained one does, out of Keras's own layers."""

import keras
import numpy as np
import pytest
from network_checks import check_stock_only, give_statistics, outputs, relative_difference
from tiny_networks import tiny_backbone

import keras_osnet
from keras_osnet.deploy import fold_batch_norm
from keras_osnet.layers import AggregationGate, ConvNorm2D, LiteConv2D, OmniScaleBlock

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(2, 64, 32, 3))
SHALLOW = {"width": 0.25, "depths": (1, 1, 1), "input_shape": (64, 32, 3)}


def folding_difference(model, images=IMAGES):
    return relative_difference(fold_batch_norm(model), model, images)


@pytest.mark.backends
@pytest.mark.parametrize("variant", ["base", "ibn"])
def test_a_network_computes_the_same(variant):
    model = give_statistics(keras_osnet.OSNet(**SHALLOW, variant=variant, head="embedding"))
    assert folding_difference(model) < 1e-5
    check_stock_only(fold_batch_norm(model))


def layers_in_float64():
    gates = {"reduction": 4, "dtype": "float64"}
    yield ConvNorm2D(8, 7, 2, dtype="float64")
    yield ConvNorm2D(8, 3, activation=None, dtype="float64")
    yield ConvNorm2D(8, 3, normalization="instance", dtype="float64")
    yield ConvNorm2D(8, 3, normalization=None, dtype="float64")
    yield LiteConv2D(8, dtype="float64")
    for arguments in (
        {"fusion": "addition"},
        {"fusion": "concatenation", "instance_norm": "output"},
        {"fusion": "fixed", "instance_norm": "residual"},
        {"fusion": "addition", "streams": 1, "convolution": "full"},
        {"fusion": "concatenation", "streams": [2]},
    ):
        yield OmniScaleBlock(8, **arguments, **gates)


@pytest.mark.parametrize("layer", list(layers_in_float64()), ids=lambda layer: layer.name)
def test_in_float64_the_only_difference_is_the_last_digit(layer):
    image = keras.Input((16, 9, 3), dtype="float64")
    model = give_statistics(keras.Model(image, layer(image)))
    assert folding_difference(model, RNG.normal(size=(2, 16, 9, 3))) < 1e-12


@pytest.mark.parametrize("kind", ["unified", "separate", "streamwise"])
def test_gates_compute_the_same(kind):
    # The gate itself takes its means in float32, whatever the policy.
    image = keras.Input((16, 9, 3), dtype="float64")
    block = OmniScaleBlock(128, fusion=kind, dtype="float64")
    model = give_statistics(keras.Model(image, block(image)))
    assert folding_difference(model, RNG.normal(size=(2, 16, 9, 3))) < 1e-7


@pytest.mark.parametrize("kind", ["unified", "separate", "streamwise", "fixed"])
def test_gates_are_handed_out(kind):
    model = keras_osnet.OSNet(
        **SHALLOW, fusion=kind, streams=2, outputs=["conv2_block1_gates", "conv3"]
    )
    give_statistics(model)
    expected, got = outputs(model, IMAGES), outputs(fold_batch_norm(model), IMAGES)
    assert list(got) == ["conv2_block1_gates", "conv3"]
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["unified", "fixed"])
def test_a_gate_of_its_own(kind):
    maps = [keras.Input((4, 4, 32)) for _ in range(2)]
    model = give_statistics(keras.Model(maps, AggregationGate(kind)(maps)))
    values = [RNG.normal(size=(1, 4, 4, 32)).astype("float32") for _ in maps]
    expected, got = model(values), fold_batch_norm(model)(values)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(got), keras.ops.convert_to_numpy(expected), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"head": "classification", "classes": 5},
        {"head": "classification", "classes": 5, "classifier_activation": None},
        {"head": "attribute", "pooling": "max"},
        {"head": "embedding", "normalize": True, "include_preprocessing": True},
        {"head": "embedding", "feature_dim": None},
        {"head": "embedding", "neck": "bn", "pooling": "gem"},
        {"classes": 5, "neck": "bn", "classifier_scale": 16},
        {"include_top": False},
    ],
    ids=str,
)
def test_heads(arguments):
    model = give_statistics(keras_osnet.OSNet(**SHALLOW, streams=2, fusion="addition", **arguments))
    assert folding_difference(model, RNG.uniform(0, 255, (2, 64, 32, 3)).round()) < 1e-5
    folded = fold_batch_norm(model)
    check_stock_only(folded)
    assert folded.layers[-1].name == model.layers[-1].name
    assert folded.name == model.name
    assert folded.inputs[0].shape == model.inputs[0].shape


def test_a_network_trained_in_half_precision_infers_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = keras_osnet.OSNet(**SHALLOW, streams=1, fusion="addition", head="embedding")
    finally:
        keras.config.set_dtype_policy("float32")
    for layer in fold_batch_norm(model).layers:
        assert layer.compute_dtype == "float32"


def test_networks_of_other_layers():
    model = give_statistics(tiny_backbone())
    assert folding_difference(model, RNG.uniform(0, 255, (2, 32, 16, 3))) < 1e-5
    check_stock_only(fold_batch_norm(model))
    sequential = keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            keras.layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise"),
            keras.layers.BatchNormalization(scale=False),
            keras.layers.Flatten(),
            keras.layers.Dense(3, use_bias=False),
            keras.layers.BatchNormalization(center=False),
        ]
    )
    give_statistics(sequential)
    images = RNG.normal(size=(2, 8, 8, 4))
    assert folding_difference(sequential, images) < 1e-5
    check_stock_only(fold_batch_norm(sequential))
    nested = keras.Sequential([keras.Input((8, 8, 4)), sequential, keras.layers.ReLU()])
    assert folding_difference(nested, images) < 1e-5


def test_a_batch_norm_that_has_nothing_to_go_into_stays():
    image = keras.Input((8, 8, 3))
    maps = keras.layers.BatchNormalization(name="first")(image)
    maps = keras.layers.Conv2D(4, 3, activation="relu", name="relu_before")(maps)
    maps = keras.layers.BatchNormalization(name="after_relu")(maps)
    split = keras.layers.Conv2D(4, 3, name="used_twice")(maps)
    maps = keras.layers.BatchNormalization(name="one_of_two")(split)
    maps = keras.layers.Concatenate()([maps, split])
    model = give_statistics(keras.Model(image, maps))
    kept = [layer.name for layer in fold_batch_norm(model).layers]
    assert {"first", "after_relu", "one_of_two"} < set(kept)
    assert folding_difference(model, RNG.normal(size=(2, 8, 8, 3))) < 1e-5
    result = keras.Model(image, [split, maps])
    np.testing.assert_allclose(
        outputs(fold_batch_norm(result), RNG.normal(size=(2, 8, 8, 3)) * 0)[1],
        outputs(result, np.zeros((2, 8, 8, 3)))[1],
        rtol=1e-5,
        atol=1e-6,
    )


def test_a_folded_model_is_its_own():
    model = give_statistics(keras_osnet.OSNet(**SHALLOW, streams=1, fusion="addition"))
    folded = fold_batch_norm(model)
    before = outputs(folded, IMAGES)
    for variable in model.variables:
        variable.assign(keras.ops.zeros_like(variable))
    np.testing.assert_array_equal(outputs(folded, IMAGES), before)
    assert not folded.trainable_variables


def test_weights_that_are_too_small_to_matter_become_0():
    model = tiny_backbone()
    layer = model.get_layer("fc")
    kernel, bias = layer.get_weights()
    kernel[0, :3] = 1e-42, -1e-21, 1e-19  # the first is denormal
    layer.set_weights([kernel, bias])
    folded, _ = fold_batch_norm(model).get_layer("fc").get_weights()
    np.testing.assert_array_equal(folded[0, :3], np.array([0, 0, 1e-19], "float32"))
    np.testing.assert_array_equal(folded[1:], kernel[1:])
    assert layer.get_weights()[0][0, 1] == np.float32(-1e-21)


def test_a_saved_folded_model_loads_without_the_package(tmp_path):
    model = keras_osnet.OSNet(**SHALLOW, streams=2, head="embedding", normalize=True)
    folded = fold_batch_norm(give_statistics(model))
    folded.save(tmp_path / "folded.keras")
    assert "keras_osnet" not in str(folded.get_config())
    reloaded = keras.saving.load_model(tmp_path / "folded.keras")
    np.testing.assert_array_equal(outputs(reloaded, IMAGES), outputs(folded, IMAGES))


def test_what_cannot_be_folded_is_refused():
    class Mine(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    image = keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match="Received: mine of class Mine"):
        fold_batch_norm(keras.Model(image, Mine(name="mine")(image)))

    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match=r"functional Keras model.*Received: Subclassed"):
        fold_batch_norm(Subclassed())
