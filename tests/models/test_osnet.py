"""What `OSNet` takes and gives, as a user of keras.applications expects it."""

import inspect

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet.architecture.configuration import Configuration

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 64, 32, 3))


def osnet(**arguments):
    return keras_osnet.OSNet(0.25, **{"input_shape": (64, 32, 3), **arguments})


@pytest.mark.backends
def test_heads():
    assert osnet().output_shape == (None, 1000)
    assert osnet(head="classification", classes=7).output_shape == (None, 7)
    assert osnet(head="attribute").output_shape == (None, 26)
    assert osnet(head="embedding").output_shape == (None, 512)
    assert osnet(head="embedding", feature_dim=64).output_shape == (None, 64)
    assert osnet(head="embedding", feature_dim=None).output_shape == (None, 128)
    assert osnet(head="embedding", neck="bn").output_shape == (None, 512)
    assert osnet(include_top=False, pooling="gem").output_shape == (None, 128)
    assert osnet(include_top=False).output_shape == (None, 4, 2, 128)
    assert osnet(include_top=False, pooling="avg").output_shape == (None, 128)
    assert osnet(include_top=False, pooling="max").output_shape == (None, 128)


@pytest.mark.large
@pytest.mark.backends
def test_activations_and_normalization():
    pixels = IMAGES.astype("uint8")
    probabilities = osnet(include_preprocessing=True).predict(pixels, verbose=0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    attributes = osnet(head="attribute", include_preprocessing=True)
    scores = attributes.predict(pixels, verbose=0)
    assert ((scores > 0) & (scores < 1)).all()
    assert abs(scores.sum(axis=1) - 1).min() > 1  # sigmoids, not a softmax
    assert attributes.get_layer("predictions").activation is keras.activations.sigmoid
    logits = osnet(classifier_activation=None)
    assert logits.layers[-1].name == "logits"
    unit = osnet(head="embedding", normalize=True, include_preprocessing=True)
    lengths = np.linalg.norm(unit.predict(pixels, verbose=0), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)


@pytest.mark.large
@pytest.mark.backends
def test_preprocessing_inside_equals_preprocessing_outside():
    inside = osnet(head="embedding", include_preprocessing=True)
    outside = osnet(head="embedding")
    outside.set_weights(inside.get_weights())
    expected = outside.predict(keras_osnet.preprocess_input(IMAGES.astype("uint8")), verbose=0)
    for dtype in ("uint8", "int32", "float32", "float64"):
        images = IMAGES.astype("uint8").astype(dtype)
        np.testing.assert_allclose(
            inside.predict(images, verbose=0), expected, rtol=1e-4, atol=1e-6
        )


def test_the_models_own_layers_are_its_graph():
    model = osnet()
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert model.name == "osnet_x0_25"
    assert keras_osnet.OSNet(1.0, variant="ibn", name="mine").name == "mine"
    assert osnet(variant="ain").name == "osnet_ain_x0_25"
    assert keras_osnet.OSNet(0.25).input_shape == (None, 256, 128, 3)


@pytest.mark.backends
def test_outputs_hands_out_every_intermediate():
    names = [
        *("conv1", "maxpool", "conv2_block1", "conv2_block2", "conv2", "transition2"),
        *("conv3_block1", "conv3", "transition3", "conv4", "conv5", "pooled", "embedding"),
        *("logits", "predictions"),
        *(f"conv{stage}_block{block}_gates" for stage in (2, 3, 4) for block in (1, 2)),
    ]
    model = osnet(outputs=names)
    full = osnet()
    full.set_weights(model.get_weights())
    outputs = model(keras_osnet.preprocess_input(IMAGES))
    assert outputs.keys() == set(names)
    shapes = {name: tuple(tensor.shape[1:]) for name, tensor in outputs.items()}
    assert shapes["conv1"] == (32, 16, 16)
    assert shapes["maxpool"] == (16, 8, 16)
    assert shapes["conv2"] == shapes["conv2_block2"] == (16, 8, 64)
    assert shapes["transition2"] == (8, 4, 64)
    assert shapes["conv3"] == (8, 4, 96)
    assert shapes["conv4"] == shapes["conv5"] == (4, 2, 128)
    assert shapes["conv2_block1_gates"] == (4, 16)
    assert shapes["conv4_block2_gates"] == (4, 32)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(outputs["predictions"]),
        full.predict(keras_osnet.preprocess_input(IMAGES), verbose=0),
        atol=1e-6,
    )


@pytest.mark.large
@pytest.mark.backends
def test_dict_outputs_train_with_a_loss_each():
    model = osnet(outputs=["embedding", "predictions"], classes=3)
    model.compile(
        "sgd",
        loss={"embedding": "mean_squared_error", "predictions": "sparse_categorical_crossentropy"},
    )
    targets = {"embedding": np.zeros((2, 512)), "predictions": np.array([0, 2])}
    assert np.isfinite(model.train_on_batch(keras_osnet.preprocess_input(IMAGES), targets)[0])


def test_input_tensor():
    image = keras.Input((80, 40, 3))
    model = keras_osnet.OSNet(0.25, input_tensor=keras.layers.RandomFlip()(image), classes=3)
    assert model.input is image
    assert model.output_shape == (None, 3)
    assert any(isinstance(layer, keras.layers.RandomFlip) for layer in model.layers)


def test_channels_other_than_rgb_without_weights():
    assert osnet(input_shape=(64, 32, 1)).input_shape == (None, 64, 32, 1)


@pytest.mark.parametrize("width", [0.28125, 0.34375, 1.03125])
def test_widths_that_nobody_published(width):
    model = keras_osnet.OSNet(width, head="embedding", input_shape=(32, 32, 3))
    assert model.output_shape == (None, 512)


def test_arguments_and_defaults_are_those_of_the_configuration():
    """Which is the one list of them; here they are written out for help and completion."""
    parameters = inspect.signature(keras_osnet.OSNet).parameters
    own = {"weights", "key", "input_tensor", "dtype", "name"}
    assert parameters.keys() - own == set(Configuration.names())
    for name in parameters.keys() - own - {"input_shape"}:
        assert parameters[name].default == getattr(Configuration, name), name


def test_published_defaults():
    model = keras_osnet.OSNet(width=1.0)
    assert model.name == "osnet_x1_0"
    assert model.count_params() > 2_169_508


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0.2}, "`width`.*Received: 0.2"),
        ({"width": 0.3}, r"`width`.*nearest valid values: 0.28125 and 0.3125.*0.3"),
        ({"width": "x1_0"}, "`width`.*'x1_0'"),
        ({"width": float("nan")}, "`width`.*nan"),
        ({"width": float("inf")}, "`width`.*inf"),
        ({"variant": "AIN"}, "`variant`.*'base', 'ibn', 'ain'.*'AIN'"),
        ({"variant": "ain", "depths": (3, 8, 6)}, r"depths=\(2, 2, 2\).*\(3, 8, 6\)"),
        ({"head": "softmax"}, "`head`.*'softmax'"),
        ({"include_top": False, "head": "embedding"}, "`include_top=False`.*'embedding'"),
        ({"include_top": False, "head": "classification"}, "`include_top=False`"),
        ({"normalize": True}, '`normalize=True`.*head="embedding"'),
        ({"pooling": "sum"}, "`pooling`.*'gem'.*'sum'"),
        ({"neck": "layer"}, r"`neck`.*'bn'.*Received: 'layer'"),
        ({"classifier_scale": 0}, r"`classifier_scale`.*Received: 0"),
        ({"classes": 0}, "`classes`.*0"),
        ({"feature_dim": -1}, "`feature_dim`.*-1"),
        ({"depths": (2, 2)}, r"`depths`.*\(2, 2\)"),
        ({"depths": (2, 0, 2)}, "`depths`.*0"),
        ({"stem": "cifar10"}, "`stem`.*'cifar10'"),
        ({"fusion": "unified_gate"}, "`fusion`.*'unified_gate'"),
        ({"input_shape": (128, 64)}, r"`input_shape`.*\(128, 64\)"),
        ({"input_shape": (8, 64, 3)}, r"`input_shape` must be at least 16.*\(8, 64, 3\)"),
        ({"input_shape": (3, 128, 64)}, r"`input_shape` must be at least 16.*\(3, 128, 64\)"),
        ({"input_shape": (64, 64, None)}, "known channels"),
        ({"input_shape": (64, 64, 1), "include_preprocessing": True}, "RGB.*1"),
        ({"input_tensor": np.zeros((1, 64, 32, 3))}, "`input_tensor`.*ndarray"),
        ({"outputs": ["conv6"]}, r"`outputs`.*conv5.*\['conv6'\]"),
        ({"outputs": "conv5"}, "`outputs` must be a list.*'conv5'"),
        ({"outputs": []}, "`outputs`"),
        ({"outputs": [3]}, r"`outputs`.*\[3\]"),
        ({"outputs": ["conv2_block1_gates"], "fusion": "addition"}, "`outputs`.*gates"),
        ({"outputs": ["logits"], "head": "embedding"}, "`outputs`.*logits"),
        ({"weights": "imagenet1k"}, "imagenet1k"),
        ({"weights": 3}, "`weights`.*3"),
        ({"weights": "missing/model.pth"}, "`weights`.*missing/model.pth"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        keras_osnet.OSNet(**{"width": 0.25, **arguments})


def test_input_shape_and_input_tensor_must_agree():
    image = keras.Input((64, 32, 3))
    with pytest.raises(ValueError, match="contradict"):
        keras_osnet.OSNet(0.25, input_tensor=image, input_shape=(64, 64, 3))


def test_numbers_of_numpy_are_numbers():
    shape = tuple(np.array([64, 32, 3]))
    model = keras_osnet.OSNet(np.float32(0.25), classes=np.int64(5), input_shape=shape)
    assert model.output_shape == (None, 5)
    assert model.name == "osnet_x0_25"
