"""A model that was cut from an OSNet, or built on one, by `keras.Model`."""

import keras
import numpy as np
import pytest

from keras_osnet import OSNet
from keras_osnet.architecture.describe import configuration_of
from keras_osnet.deploy import export, fold_batch_norm
from keras_osnet.evaluation import complexity, embed_images
from keras_osnet.runtime import Embedder
from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.weights import load_torchreid, save_safetensors, to_torchreid

SIZE = (32, 16)
IMAGES = np.random.default_rng(0).standard_normal((2, *SIZE, 3)).astype("float32")


@pytest.fixture(scope="module")
def model():
    return OSNet(0.25, depths=(1, 1, 1), streams=2, classes=5, input_shape=(*SIZE, 3))


@pytest.fixture(scope="module")
def cut(model):
    return keras.Model(model.input, model.get_layer("embedding").output)


@pytest.fixture(scope="module")
def with_dense(model):
    return keras.Model(model.input, keras.layers.Dense(4, name="age")(model.layers[-3].output))


@pytest.fixture(params=["cut", "with_dense"])
def plain(request):
    return request.getfixturevalue(request.param)


def test_it_is_folded(plain):
    folded = fold_batch_norm(plain)
    np.testing.assert_allclose(folded(IMAGES), plain(IMAGES), rtol=1e-4, atol=1e-5)


@pytest.mark.large
def test_it_is_exported(plain, tmp_path):
    export(plain, tmp_path / "model.tflite")
    assert Embedder(tmp_path / "model.tflite").dim == plain.output_shape[-1]


def test_its_complexity_is_counted(cut, with_dense):
    extra = 512 * 4 + 4
    assert complexity(with_dense).mult_adds - complexity(cut).mult_adds == extra


def test_it_embeds(plain, tmp_path):
    people = write_synthetic_people(tmp_path, 1, views=1, image_size=SIZE)
    vectors = embed_images(plain, [person.path for person in people]).vectors
    assert vectors.shape == (2, plain.output_shape[-1])


def test_torchreid_weights_go_out_and_in(model, cut):
    tensors = to_torchreid(cut)
    assert tensors.keys() == to_torchreid(model).keys() - {"classifier.weight", "classifier.bias"}
    other = keras.models.clone_model(cut)
    load_torchreid(other, tensors)
    np.testing.assert_array_equal(other(IMAGES), cut(IMAGES))


def test_a_file_of_it_tells_its_network(cut, tmp_path):
    assert configuration_of(cut).head == "embedding"
    save_safetensors(cut, tmp_path / "cut.safetensors")


def test_torchreid_has_no_layers_on_top(with_dense):
    with pytest.raises(ValueError, match=r"with age/kernel, age/bias"):
        to_torchreid(with_dense)
