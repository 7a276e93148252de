"""The setting `channels_first` of a user's keras.json changes no number."""

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet.data import split_by_camera
from keras_osnet.deploy import export, fold_batch_norm
from keras_osnet.evaluation import embed_images, evaluate_retrieval
from keras_osnet.runtime import Embedder
from keras_osnet.synthetic import synthetic_people, write_synthetic_people
from keras_osnet.visualize import feature_maps, grad_cam

SIZE = (64, 32)
IMAGES = synthetic_people(4, views=1, image_size=SIZE).images
LABELS = np.arange(len(IMAGES)) % 4


def network(**head):
    keras.utils.set_random_seed(0)
    return keras_osnet.OSNet(
        0.25, depths=(1, 1, 1), input_shape=(*SIZE, 3), include_preprocessing=True, **head
    )


def assert_equal_under_both(compute):
    expected = compute()
    keras.config.set_image_data_format("channels_first")
    try:
        found = compute()
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(found, expected)


def test_embed_and_evaluate(tmp_path):
    people = write_synthetic_people(tmp_path, 3, image_size=SIZE)

    def compute():
        model = network(head="embedding")
        ranking = evaluate_retrieval(model, *split_by_camera(people)).ranking
        vectors = embed_images(model, [one.path for one in people], flip=True).vectors
        return [*vectors.ravel(), *ranking.cmc, ranking.mean_average_precision]

    assert_equal_under_both(compute)


@pytest.mark.large
def test_feature_maps_and_folding():
    def compute():
        model = network(head="embedding", variant="ibn")
        maps = feature_maps(model, IMAGES, ["conv2", "conv4_block1_gates"])
        folded = fold_batch_norm(model).predict(IMAGES, verbose=0)
        return np.concatenate([each.ravel() for each in (*maps.values(), folded)])

    assert_equal_under_both(compute)


@pytest.mark.large
def test_a_training_step_and_grad_cam():
    def compute():
        model = network(classes=4)
        model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        model.fit(IMAGES, LABELS, epochs=2, verbose=0, shuffle=False)
        maps = grad_cam(model, IMAGES, classes=1)
        return np.concatenate([model.predict(IMAGES, verbose=0).ravel(), maps.ravel()])

    assert_equal_under_both(compute)


@pytest.mark.large
@pytest.mark.parametrize("name", ["osnet.tflite", "osnet.onnx", "osnet.xml"])
def test_exports(name, tmp_path):
    def compute():
        export(network(head="embedding"), tmp_path / name, images=IMAGES)
        return Embedder(tmp_path / name).embed(list(IMAGES))

    assert_equal_under_both(compute)
