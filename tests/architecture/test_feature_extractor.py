import keras
import numpy as np
import pytest

from keras_osnet import OSNet
from keras_osnet.architecture import OSNetModel, feature_extractor
from keras_osnet.data import split_by_camera
from keras_osnet.evaluation import evaluate_retrieval
from keras_osnet.synthetic import write_synthetic_people

SIZE = (64, 32)


@pytest.fixture(scope="module")
def classifier():
    return OSNet(0.25, classes=5, input_shape=(*SIZE, 3), depths=(1, 1, 1))


def test_a_classifier_becomes_an_embedder(classifier):
    image = np.random.default_rng(0).standard_normal((2, *SIZE, 3)).astype("float32")
    cut = feature_extractor(classifier)
    assert type(cut) is OSNetModel
    expected = OSNet(0.25, head="embedding", input_shape=(*SIZE, 3), depths=(1, 1, 1))
    expected.set_weights(classifier.get_weights()[:-2])
    np.testing.assert_allclose(cut(image), expected(image), rtol=1e-5, atol=1e-6)
    assert cut.get_layer("conv1") is classifier.get_layer("conv1")
    assert feature_extractor(cut) is cut
    several = keras.Model(classifier.input, {"a": cut.output, "b": classifier.output})
    assert feature_extractor(several).output_shape == (None, 512)


def test_predictions_are_not_ranked(classifier, tmp_path):
    people = write_synthetic_people(tmp_path, 3, views=1, image_size=SIZE)
    with pytest.raises(ValueError, match=r"feature_extractor\(model\).* which ends in predictions"):
        evaluate_retrieval(classifier, *split_by_camera(people))


def test_other_classifiers():
    image = keras.Input((4,))
    model = keras.Model(image, keras.layers.Dense(3, name="logits")(image))
    with pytest.raises(ValueError, match=r"layer `embedding` .*logits"):
        feature_extractor(model)
