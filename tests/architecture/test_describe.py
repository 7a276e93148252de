"""The description of a model rebuilds it."""

import json

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet.architecture.describe import describe

HEADS = [
    {"head": "embedding"},
    {"head": "embedding", "normalize": True, "pooling": "max", "feature_dim": 64},
    {"head": "embedding", "feature_dim": None},
    {"head": "embedding", "neck": "bn", "pooling": "gem"},
    {"head": "embedding", "neck": "bn", "feature_dim": None, "normalize": True},
    {"classes": 5, "neck": "bn", "classifier_scale": 16.0},
    {"classes": 5, "neck": "bn", "classifier_activation": None},
    {"include_top": False, "pooling": "gem"},
    {"head": "classification", "classes": 7, "include_preprocessing": True},
    {"classes": 5, "classifier_activation": None, "feature_dim": None},
    {"classes": 5, "classifier_activation": "linear", "input_shape": (None, None, 3)},
    {"head": "attribute", "classes": 9},
    {"head": "attribute", "classes": 3, "classifier_activation": None},
    {"include_top": False, "input_shape": (None, 64, 3)},
    {"include_top": False, "pooling": "avg", "include_preprocessing": True},
    {"include_top": False, "pooling": "max"},
]
OUTPUTS = [
    {"outputs": ["conv5"]},
    {"outputs": ["conv4_block2_gates", "conv2", "pooled"]},
    {"outputs": ["embedding", "transition2", "conv2_block1_gates"]},
    {"outputs": ["logits"], "classes": 4},
    {"outputs": ["features", "logits"], "classes": 4, "neck": "bn"},
    {"outputs": ["normalized", "conv1"], "head": "embedding", "normalize": True},
]
SIZE = (64, 32, 3)


def build(**arguments):
    return keras_osnet.OSNet(**{"width": 0.25, "input_shape": SIZE, **arguments})


def layer_configs(model):
    return [
        layer.get_config()
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]


def assert_rebuilds(model):
    description = json.loads(json.dumps(describe(model)))
    rebuilt = keras_osnet.OSNet(**description)
    assert layer_configs(rebuilt) == layer_configs(model)
    assert rebuilt.input_shape == model.input_shape
    assert rebuilt.output_shape == model.output_shape
    assert describe(rebuilt) == description
    rebuilt.set_weights(model.get_weights())
    shape = [size or 48 for size in model.input_shape[1:]]
    images = np.random.default_rng(0).uniform(0, 255, (2, *shape)).astype("float32")
    expected, results = model(images), rebuilt(images)
    for left, right in zip(keras.tree.flatten(expected), keras.tree.flatten(results), strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(left), keras.ops.convert_to_numpy(right)
        )


@pytest.mark.large
@pytest.mark.parametrize("head", [*HEADS, *OUTPUTS], ids=str)
def test_every_head(head):
    # One block a stage but where a second one is asked for: heads do not depend on them.
    depths = (1, 1, 2) if "conv4_block2_gates" in head.get("outputs", ()) else (1, 1, 1)
    assert_rebuilds(build(depths=depths, **head))


@pytest.mark.parametrize("width", [0.75, 0.34375])
def test_widths(width):
    assert describe(build(width=width))["width"] == width


@pytest.mark.large
@pytest.mark.parametrize(
    "arguments",
    [
        {"variant": "ain", "head": "embedding", "normalize": True, "include_preprocessing": True},
        {"fusion": "fixed", "streams": [2, 2], "classes": 3},
        {"outputs": ["conv2_block1_gates", "embedding"]},
    ],
    ids=str,
)
def test_reloaded_models(arguments, tmp_path):
    model = build(**arguments)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert describe(reloaded) == describe(model)
    assert_rebuilds(reloaded)


def test_the_description_reads_like_the_call():
    model = build(head="embedding", streams=3, input_shape=(256, 128, 3))
    assert describe(model) == {
        "width": 0.25,
        "variant": "base",
        "head": "embedding",
        "include_top": True,
        "input_shape": [256, 128, 3],
        "classes": None,
        "pooling": "avg",
        "classifier_activation": "softmax",
        "classifier_scale": None,
        "feature_dim": 512,
        "neck": None,
        "normalize": False,
        "include_preprocessing": False,
        "mean": None,
        "std": None,
        "outputs": None,
        "depths": [2, 2, 2],
        "streams": 3,
        "fusion": "unified",
        "convolution": "lite",
        "stem": "imagenet",
    }


def test_a_model_cut_at_its_embedding_is_an_embedding_model():
    model = build(classes=7)
    cut = keras.Model(model.inputs, model.get_layer("embedding").output)
    assert describe(cut) == describe(build(head="embedding"))
    assert_rebuilds(cut)


def two_outputs(model):
    return keras.Model(model.inputs, [model.output, model.get_layer("embedding").output])


@pytest.mark.large
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda model: keras.Model(model.inputs, model.get_layer("conv3_block2").output), "conv5"),
        (
            lambda model: keras.Model(model.inputs, model.get_layer("fc").output),
            "in between: fc",
        ),
        (
            lambda model: keras.Model(
                model.inputs, keras.layers.Dense(2, name="age")(model.get_layer("pooled").output)
            ),
            "in between: age",
        ),
        (two_outputs, "one output or named ones"),
        (lambda model: keras.Model(model.inputs, {"who": model.output}), "other names: who"),
        (lambda model: keras.Sequential([keras.layers.Dense(2)], name="other"), "conv1.*other"),
    ],
)
def test_what_the_constructor_cannot_build_is_refused(change, reason):
    with pytest.raises(ValueError, match=rf"(?s)must be an OSNet.*{reason}"):
        describe(change(build(classes=3)))


def test_an_activation_without_a_name_is_refused():
    with pytest.raises(ValueError, match=r"activation.*Received: osnet_x0_25"):
        describe(build(classes=3, classifier_activation=lambda logits: logits))


def test_blocks_of_several_kinds_are_refused():
    model = build(head="embedding")
    model = keras.models.clone_model(model)
    model.get_layer("conv3_block1").fusion = "addition"
    with pytest.raises(ValueError, match="one kind of block"):
        describe(model)
