"""Which network a file is of, and building it."""

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet.architecture.describe import describe
from keras_osnet.models.load_model import open_checkpoint
from keras_osnet.weights import save_safetensors, to_torchreid, write_torch_checkpoint


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "ain.safetensors"
    save_safetensors(keras_osnet.OSNet(0.25, variant="ain", classes=3, feature_dim=64), path)
    return path


def test_everything_is_read_off_the_file(file):
    opened = open_checkpoint(file)
    assert (opened.architecture, opened.classes) == ("osnet_ain_x0_25", 3)
    assert opened.description["feature_dim"] == 64
    model, report = opened.build()
    assert model.output_shape == (None, 3)
    assert model.input_shape == (None, 256, 128, 3)
    assert "classifier.weight" in report.used
    embedder, report = opened.build(head="embedding", image_size=(64, 32), normalize=True)
    assert embedder.output_shape == (None, 64)
    assert embedder.input_shape == (None, 64, 32, 3)
    assert "classifier.weight" in report.skipped
    images = np.random.default_rng(0).standard_normal((1, 64, 32, 3)).astype("float32")
    assert np.linalg.norm(embedder(images)) == pytest.approx(1)


@pytest.mark.large
@pytest.mark.parametrize(
    "arguments",
    [
        {"fusion": "streamwise", "streams": 2, "head": "embedding"},
        {"stem": "cifar", "input_shape": (32, 32, 3), "classes": 10},
        {"head": "attribute", "classes": 4, "pooling": "max", "feature_dim": None},
    ],
)
def test_ablations_and_other_heads_are_rebuilt_as_they_were(tmp_path, arguments):
    path = tmp_path / "model.safetensors"
    model = keras_osnet.OSNet(0.25, **arguments)
    save_safetensors(model, path)
    again, _ = open_checkpoint(path).build()
    assert describe(again) == describe(model)
    for first, second in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_keras_weights(file, tmp_path):
    path = tmp_path / "model.weights.h5"
    model = keras_osnet.OSNet(0.25, classes=3)
    model.save_weights(path)
    with pytest.raises(ValueError, match=r"`width`.*must be given.*Received: width=None"):
        open_checkpoint(path)
    again, report = open_checkpoint(path, width=0.25).build()
    assert report is None
    for first, second in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_load_model_opens_every_kind_of_file(file, tmp_path):
    model = keras_osnet.load_model(file)
    assert model.configuration.variant == "ain"
    assert model.output_shape == (None, 3)
    images = np.random.default_rng(0).standard_normal((1, 256, 128, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(model(images))
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    write_torch_checkpoint(tmp_path / "model.pth", to_torchreid(model))
    for name, arguments in (
        ("model.keras", {}),
        ("model.keras", {"head": "classification"}),
        ("model.pth", {}),
    ):
        loaded = keras_osnet.load_model(tmp_path / name, **arguments)
        assert type(loaded) is type(model)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded(images)), expected)
    cut = keras_osnet.load_model(
        tmp_path / "model.keras", head="embedding", normalize=True, include_preprocessing=True
    )
    assert cut.configuration.normalize
    assert cut.layers[1].name == "preprocessing"
    with pytest.raises(ValueError, match="`width`"):
        keras_osnet.load_model(tmp_path / "model.weights.h5")
    with pytest.raises(ValueError, match="holds variant='ain'"):
        keras_osnet.load_model(tmp_path / "model.keras", variant="base")


def test_load_model_loads_any_model_of_keras(tmp_path):
    image = keras.Input((8, 8, 3))
    keras.Model(image, keras.layers.Flatten()(image)).save(tmp_path / "flat.keras")
    assert keras_osnet.load_model(tmp_path / "flat.keras").output_shape == (None, 192)


def test_contradictions(file):
    with pytest.raises(ValueError, match=r"holds width=0\.25\. Received: width=0\.5"):
        open_checkpoint(file, width=0.5)
    with pytest.raises(ValueError, match=r"holds variant='ain'\. Received: variant='base'"):
        open_checkpoint(file, variant="base")


def test_something_else_than_an_osnet(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "resnet.safetensors"
    save_file({"layer1.0.weight": np.zeros((2, 2), "float32")}, path)
    with pytest.raises(ValueError, match="does not hold an OSNet"):
        open_checkpoint(path)
