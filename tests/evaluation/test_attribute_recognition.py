"""Attribute models on images with labels, against plain computations."""

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet.data import AttributeImages, read_image
from keras_osnet.evaluation import evaluate_attribute_model
from keras_osnet.metrics.attributes import AttributeResult, evaluate_attributes
from keras_osnet.synthetic import write_synthetic_people


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    people = write_synthetic_people(
        tmp_path_factory.mktemp("people"), 3, views=2, image_size=(64, 32)
    )
    labels = np.random.default_rng(0).integers(0, 2, (12, 4), np.uint8)
    labels[:, 3] = 1  # always there
    return AttributeImages(tuple(person.path for person in people), labels)


@pytest.fixture(scope="module")
def model(images):
    model = keras_osnet.OSNet(
        0.25, head="attribute", classes=4, input_shape=(64, 32, 3), include_preprocessing=True
    )
    # Fresh weights say nearly the same of every image: spread it, around 0.5.
    layer = model.get_layer("logits")
    logits = keras.Model(model.input, layer.output)(_pixels(images), training=False)
    logits = keras.ops.convert_to_numpy(logits)
    kernel, _ = layer.get_weights()
    spread = logits.std(axis=0)
    layer.set_weights([kernel / spread, -logits.mean(axis=0) / spread])
    return model


@pytest.fixture(scope="module")
def probabilities(images, model):
    return keras.ops.convert_to_numpy(model(_pixels(images), training=False))


def _pixels(images):
    return np.stack([read_image(path, (64, 32)) for path in images.paths])


@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_equals_the_measures_of_the_probabilities(images, model, probabilities, threshold):
    done = []
    result = evaluate_attribute_model(
        model, images, threshold=threshold, batch_size=5, progress=done.append
    )
    assert done == [5, 10, 12]
    assert isinstance(result, AttributeResult)
    predicted = probabilities >= threshold
    assert 5 < predicted.sum() < 43
    expected = evaluate_attributes(predicted, images.attributes)
    for measure in ("mean_accuracy", "accuracy", "precision", "recall", "f1"):
        assert getattr(result, measure) == pytest.approx(getattr(expected, measure))
    np.testing.assert_allclose(result.attribute_accuracy, expected.attribute_accuracy)
    # By plain counting, for one attribute.
    shown = images.attributes[:, 0] == 1
    right = predicted[:, 0] == shown
    assert result.attribute_accuracy[0] == pytest.approx(
        (right[shown].mean() + right[~shown].mean()) / 2
    )
    assert np.isnan(result.attribute_accuracy[3])
    assert result.positive.tolist() == images.attributes.mean(axis=0).tolist()
    assert (result.images, result.unreadable) == (12, {})


def test_unreadable_files_shift_no_labels(images, model, tmp_path):
    broken = tmp_path / "broken.png"
    broken.touch()
    paths = (broken, *images.paths[:7], tmp_path / "missing.png", *images.paths[7:])
    rows = [0, *range(7), 0, *range(7, 12)]
    mixed = AttributeImages(paths, images.attributes[rows])
    result = evaluate_attribute_model(model, mixed)
    whole = evaluate_attribute_model(model, images)
    assert (result.f1, result.mean_accuracy) == (whole.f1, whole.mean_accuracy)
    assert result.positive.tolist() == whole.positive.tolist()
    assert result.images == 12
    assert [path.name for path in result.unreadable] == ["broken.png", "missing.png"]
    with pytest.raises(ValueError, match=r"no image that can be read.*1 images; Cannot read"):
        evaluate_attribute_model(model, AttributeImages((broken,), images.attributes[:1]))


def test_a_model_that_is_no_osnet(images):
    image = keras.Input((64, 32, 3))
    scores = keras.layers.Dense(4, "sigmoid")(keras.layers.GlobalAveragePooling2D()(image))
    assert evaluate_attribute_model(keras.Model(image, scores), images).images == 12


def test_models_that_do_not_fit(images, model):
    fewer = AttributeImages(images.paths, images.attributes[:, :3])
    message = r"as many attributes as the labels.*osnet_x0_25 with 4 attributes, labels of 3"
    with pytest.raises(ValueError, match=message):
        evaluate_attribute_model(model, fewer)
    for arguments in (
        {"head": "classification", "classes": 4},
        {"head": "embedding", "feature_dim": 4},
        {"include_top": False},
    ):
        other = keras_osnet.OSNet(0.25, input_shape=(64, 32, 3), **arguments)
        head = arguments.get("head")
        message = rf"must be an attribute model.*Received: osnet_x0_25 with head={head!r}, output"
        with pytest.raises(ValueError, match=message):
            evaluate_attribute_model(other, images)


def test_wrong_arguments(images, model):
    with pytest.raises(ValueError, match=r"`threshold` must be above 0.*Received: 0"):
        evaluate_attribute_model(model, images, threshold=0)
    empty = AttributeImages((), images.attributes[:0])
    with pytest.raises(ValueError, match=r"`images` must hold at least one image"):
        evaluate_attribute_model(model, empty)
