"""What stands before and behind a model in a file."""

import hashlib

import keras
import numpy as np
import pytest
from tiny_networks import tiny_backbone

import keras_osnet
from keras_osnet.deploy.conversion import serve

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (2, 64, 32, 3), "uint8")


def small(**arguments):
    return keras_osnet.OSNet(
        0.25, input_shape=(64, 32, 3), depths=(1, 1, 1), streams=1, fusion="addition", **arguments
    )


def output(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_pixels_in_unit_vectors_out(dtype):
    model = small(head="embedding")
    result = serve(model, dtype=dtype)
    vectors = output(model, keras_osnet.preprocess_input(PIXELS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(output(result.model, PIXELS.astype(dtype)), vectors, atol=1e-6)
    assert result.model.inputs[0].name == "image"
    assert result.model.inputs[0].dtype == dtype
    assert result.names == ("image", "embedding")
    metadata = result.metadata
    assert (metadata.dtype, metadata.image_size) == (dtype, (64, 32))
    assert (metadata.output_kind, metadata.dim) == ("embedding", 512)
    assert metadata.pixel_range == "0-255"
    assert metadata.l2_normalized
    assert np.allclose(metadata.mean, keras_osnet._utils.constants.MEAN)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("pixel_range", ["0-1", "normalized"])
def test_other_pixel_ranges(pixel_range, inside):
    model = small(head="embedding", include_preprocessing=inside)
    result = serve(model, pixel_range=pixel_range)
    assert result.metadata.pixel_range == pixel_range
    assert result.metadata.dtype == "float32"
    images = result.metadata.to_input(PIXELS)
    np.testing.assert_allclose(
        output(result.model, images), output(serve(model).model, PIXELS), atol=1e-5
    )
    with pytest.raises(ValueError, match=r"`dtype` must be \"float32\".*Received: 'uint8'"):
        serve(model, pixel_range=pixel_range, dtype="uint8")


def test_preprocessing_and_scaling_are_not_done_twice():
    model = small(head="embedding", normalize=True, include_preprocessing=True)
    for normalize in (True, False):
        result = serve(model, normalize=normalize)
        np.testing.assert_allclose(output(result.model, PIXELS), output(model, PIXELS), atol=1e-6)
        assert result.metadata.l2_normalized


def test_an_embedding_can_stay_as_it_is():
    model = small(head="embedding", include_preprocessing=True)
    result = serve(model, normalize=False)
    expected = output(model, PIXELS)
    np.testing.assert_allclose(output(result.model, PIXELS), expected, rtol=1e-4, atol=1e-6)
    assert not result.metadata.l2_normalized


def test_statistics():
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    own = small(head="embedding", include_preprocessing=True, mean=mean, std=std)
    np.testing.assert_allclose(serve(own).metadata.mean, mean)
    np.testing.assert_allclose(serve(own).metadata.std, std)
    outside = small(head="embedding")
    outside.set_weights(own.get_weights())
    given = serve(outside, mean=mean, std=std)
    np.testing.assert_allclose(
        output(given.model, PIXELS), output(serve(own).model, PIXELS), atol=1e-5
    )
    gray = serve(tiny_backbone())
    np.testing.assert_allclose(gray.metadata.mean, [0.5] * 3)
    np.testing.assert_allclose(gray.metadata.std, [0.5] * 3)


@pytest.mark.parametrize(
    ("arguments", "kind", "name"),
    [
        ({"classes": 5}, "classification", "predictions"),
        ({"classes": 5, "classifier_activation": None}, "classification", "logits"),
        ({"head": "attribute", "classes": 3}, "attribute", "attributes"),
        ({"include_top": False}, "maps", "maps"),
        ({"include_top": False, "pooling": "avg"}, "embedding", "embedding"),
    ],
    ids=str,
)
def test_heads(arguments, kind, name):
    model = small(**arguments)
    result = serve(model, batch=1)
    assert (result.metadata.output_kind, result.names[1]) == (kind, name)
    assert result.metadata.dim == model.output_shape[-1]
    assert result.metadata.l2_normalized == (kind == "embedding")
    assert result.model.inputs[0].shape[0] == 1


def test_labels():
    model = small(head="attribute", classes=2)
    assert serve(model, labels=["hat", "bag"]).metadata.labels == ("hat", "bag")
    with pytest.raises(ValueError, match=r"as many as the output has numbers.*3 labels"):
        serve(model, labels=["hat", "bag", "boots"])
    with pytest.raises(ValueError, match=r"`labels` name the classes.*Received: 1 labels"):
        serve(small(head="embedding"), labels=["hat"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "int8"}, "`dtype` must be one of .*Received: 'int8'"),
        ({"batch": 0}, "`batch` must be 1, or None.*Received: 0"),
        ({"batch": True}, "`batch` must be 1, or None.*Received: True"),
        ({"mean": (0.5, 0.5, 0.5)}, "`std` must be three numbers.*Received: std=None"),
        ({"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0)}, "`std` must be three numbers above 0"),
    ],
)
def test_what_an_argument_may_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        serve(small(head="embedding"), **arguments)


def test_a_layer_named_preprocessing():
    """Its mean and standard deviation go into the metadata."""

    def with_preprocessing(layer):
        image = keras.Input((8, 8, 3))
        maps = keras.layers.Conv2D(4, 3)(layer(image))
        return keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps), name="own")

    scaled = with_preprocessing(keras.layers.Rescaling(1 / 255, name="preprocessing"))
    metadata = serve(scaled).metadata
    assert (str(metadata.mean), metadata.std) == ("(0.0, 0.0, 0.0)", (1.0, 1.0, 1.0))
    other = with_preprocessing(keras.layers.Conv2D(3, 1, name="preprocessing"))
    with pytest.raises(ValueError, match=r"may only have a Rescaling.*Received: Conv2D in own"):
        serve(other)


def test_statistics_of_a_model_that_has_its_own():
    model = small(head="embedding", include_preprocessing=True)
    with pytest.raises(ValueError, match="without preprocessing inside"):
        serve(model, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def test_models_that_no_file_holds():
    with pytest.raises(ValueError, match="`model` must have one output"):
        serve(small(outputs=["conv2", "conv3"]))
    gray = keras.Input((8, 8, 1))
    with pytest.raises(ValueError, match="one batch of RGB images"):
        serve(keras.Model(gray, keras.layers.Conv2D(2, 3)(gray)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(value):
    model = small(head="embedding")
    norm = next(each for each in model.weights if each.path.endswith("moving_mean"))
    values = np.zeros(norm.shape, "float32")
    values[-1] = value
    norm.assign(values)
    with pytest.raises(ValueError, match=r"finite weights.*Received: .*moving_mean$"):
        serve(model)


def test_the_source_holds_no_path_of_this_machine(tmp_path, monkeypatch):
    file = tmp_path / "best.keras"
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    model = tiny_backbone()

    def source(text):
        return serve(model, source=text).metadata.source

    monkeypatch.chdir(tmp_path.parent)
    for local in (str(file), f"{tmp_path.name}/best.keras", f"file://{file}"):
        assert source(local) == f"best.keras (SHA-256 {digest})"
    assert source("/home/someone/gone.keras") == "gone.keras"
    assert source("C:\\Users\\someone\\gone.keras") == "gone.keras"
    assert source("~/gone.keras") == "gone.keras"
    for kept in (None, "msmt17", "hf://owner/repo/best.keras@main", "https://example.com/a.pth"):
        assert source(kept) == kept
    assert source("trained by me, " * 1000) == "trained by me, " * 1000


@pytest.mark.parametrize("label", ["two\nlines", "", "a\x85b"])
def test_labels_are_lines_of_text(label):
    model = small(classes=2)
    with pytest.raises(ValueError, match="`labels` must be a list of texts of one line"):
        serve(model, labels=["hat", label])


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [
        {"layout": "NCHW"},
        {"channels": "BGR"},
        {"layout": "NCHW", "channels": "BGR", "pixel_range": "0-1", "dtype": "float32"},
    ],
    ids=str,
)
def test_other_image_tensors_give_the_same_vectors(arguments, inside):
    statistics = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.3)}
    own, given = (statistics, {}) if inside else ({}, statistics)
    model = small(head="embedding", include_preprocessing=inside, **own)
    before = output(model, PIXELS) if inside else None
    result = serve(model, **arguments, **given)
    images = result.metadata.to_input(PIXELS)
    assert result.model.input_shape[1:] == images.shape[1:]
    expected = output(serve(model, **given).model, PIXELS)
    np.testing.assert_allclose(output(result.model, images), expected, atol=1e-6)
    if inside:
        np.testing.assert_array_equal(output(model, PIXELS), before)


def test_bgr_needs_a_convolution_that_begins_the_model():
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image), name="mean")
    with pytest.raises(ValueError, match=r"`channels=\"BGR\"`.*Received: mean, which begins with"):
        serve(model, channels="BGR")


@pytest.mark.parametrize("pixel_range", ["0-255", "0-1"])
def test_a_model_with_the_names_of_layers_that_are_added(pixel_range):
    image = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(4, 3, name="image")(image)
    for name in ("pixels", "channels_last", "normalized"):
        maps = keras.layers.Activation("relu", name=name)(maps)
    vectors = keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(maps))
    model = keras.Model(image, vectors)
    result = serve(model, pixel_range=pixel_range, layout="NCHW", names=("normalized", "image"))
    pixels = PIXELS[:, :8, :8] / (255 if pixel_range == "0-1" else 1)
    expected = output(serve(model, dtype="float32").model, PIXELS[:, :8, :8].astype("float32"))
    given = pixels.transpose(0, 3, 1, 2).astype(result.metadata.dtype)
    np.testing.assert_allclose(output(result.model, given), expected, atol=1e-6)


@pytest.mark.parametrize(
    "mean", [0.5, "abc", (None,) * 3, (123.7, 116.3, 103.5), None, (0.5, np.nan, 0.5)]
)
def test_statistics_that_are_none(mean):
    with pytest.raises(ValueError, match=r"^`mean` must be three numbers.*Received: mean="):
        serve(small(head="embedding"), mean=mean, std=(0.2, 0.2, 0.2))
    with pytest.raises(ValueError, match=r"^`std` must be three numbers above 0.*Received: std="):
        serve(small(head="embedding"), mean=(0.5, 0.5, 0.5), std=mean)


def test_names():
    result = serve(small(head="embedding"), names=["images", "reid_embedding"])
    assert result.names == ("images", "reid_embedding")
    for wrong in ("image", ["a", "a"], ["a/b", "c"], ["a"], ["", "b"], [1, 2]):
        with pytest.raises(ValueError, match=r"`names` must be two names.*Received: "):
            serve(small(head="embedding"), names=wrong)
