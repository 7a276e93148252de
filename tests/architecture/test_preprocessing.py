import keras
import numpy as np
import pytest

from keras_osnet import decode_predictions, preprocess_input

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 8, 4, 3))


@pytest.mark.backends
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float16", "float32", "float64"])
def test_any_type_of_pixel(dtype):
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (PIXELS / 255 - mean) / std
    array = preprocess_input(PIXELS.astype(dtype))
    assert isinstance(array, np.ndarray)
    assert array.dtype == "float32"
    np.testing.assert_allclose(array, expected, atol=1e-6)
    tensor = preprocess_input(keras.ops.convert_to_tensor(PIXELS.astype(dtype)))
    assert keras.ops.is_tensor(tensor)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(tensor), expected, atol=1e-6)


def test_its_argument_is_left_alone():
    pixels = PIXELS.astype("float32")
    preprocess_input(pixels)
    np.testing.assert_array_equal(pixels, PIXELS)


def test_not_rgb():
    with pytest.raises(ValueError, match=r"`images` must be RGB.*\(2, 3, 8, 4\)"):
        preprocess_input(PIXELS.transpose(0, 3, 1, 2))
    with pytest.raises(ValueError, match=r"\(\)"):
        preprocess_input(3)


def test_pixels_of_0_to_1_are_suspicious():
    with pytest.warns(UserWarning, match="look like 0–1"):
        preprocess_input(PIXELS / 255)


@pytest.mark.parametrize("values", [preprocess_input(PIXELS), PIXELS.astype("uint16") * 257])
def test_normalized_and_deep_pixels_are_suspicious(values):
    with pytest.warns(UserWarning, match="normalized already or of 16 bits. Received: values"):
        preprocess_input(values)


@pytest.mark.parametrize(
    "values",
    [
        np.full((2, 2, 3), np.nan),
        np.full((2, 2, 3), -np.inf),
        np.ma.masked_array(PIXELS, PIXELS > 100),
        PIXELS.astype(object),
        PIXELS.astype(str),
        PIXELS > 100,
        PIXELS.astype(complex),
        [[1, 2, 3], [1, 2]],
        np.zeros((2, 3), "m8[s]"),
        None,
        "image.png",
    ],
)
def test_values_that_are_no_pixels(values):
    with pytest.raises(ValueError, match=r"^`images` must.*Received: "):
        preprocess_input(values)
    with pytest.raises(ValueError, match=r"^`predictions` must.*Received: "):
        decode_predictions(values, class_names=["a", "b", "c"])


@pytest.mark.parametrize("top", [0, -1, 1.5, float("nan"), "3", None, [1], True])
def test_wrong_counts_of_predictions(top):
    with pytest.raises(ValueError, match=r"^`top` must.*Received: "):
        decode_predictions(np.zeros((1, 2)), top, ["a", "b"])


@pytest.mark.parametrize("names", ["ab", 2, {"a": 1, "b": 2}, True])
def test_wrong_names_of_classes(names):
    with pytest.raises(ValueError, match=r"^`class_names` must.*Received: "):
        decode_predictions(np.zeros((1, 2)), 1, names)


def test_the_overshoot_of_a_resize_is_not_suspicious(recwarn):
    preprocess_input(np.linspace(-20, 275, 24).reshape(2, 4, 3))
    assert not recwarn


def test_a_black_image_is_not_suspicious(recwarn):
    preprocess_input(np.zeros((1, 8, 4, 3)))
    assert not recwarn


def test_decode_predictions_with_names():
    decoded = decode_predictions(np.array([[0.2, 0.5, 0.3], [1, 0, 0]]), 2, ["a", "b", "c"])
    assert decoded == [[("1", "b", 0.5), ("2", "c", 0.3)], [("0", "a", 1.0), ("1", "b", 0.0)]]


def test_decode_predictions_of_imagenet(monkeypatch):
    index = {str(i): (f"n{i:08}", f"name{i}") for i in range(1000)}
    monkeypatch.setattr("keras.src.applications.imagenet_utils.CLASS_INDEX", index)
    scores = np.zeros((1, 1000))
    scores[0, 281] = 0.9
    assert decode_predictions(scores, top=1) == [[("n00000281", "name281", 0.9)]]


@pytest.mark.parametrize("shape", [(1000,), (2, 999), (1, 2, 1000)])
def test_predictions_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"`predictions` must have the shape \(batch, 1000\)"):
        decode_predictions(np.zeros(shape))
