"""`weights=` in all its forms."""

from pathlib import Path

import keras
import numpy as np
import pytest
from golden import Golden

import keras_osnet
from keras_osnet.weights import (
    load_torchreid,
    read_state_dict,
    save_safetensors,
    sources,
    to_torchreid,
    write_torch_checkpoint,
)

FILES = (
    "a.pth",
    "a.pth.tar",
    "a.pth.tar-60",
    "a.pyth",
    "a.pt",
    "a.safetensors",
    "a.keras",
    "a.weights.h5",
)


@pytest.fixture(scope="module")
def model():
    model = keras_osnet.OSNet(0.25, classes=10)
    load_torchreid(model, Golden("osnet_x0_25").state_dict())
    return model


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for name in FILES:
        if name.endswith((".keras",)):
            model.save(folder / name)
        elif name.endswith(".weights.h5"):
            model.save_weights(folder / name)
        elif name.endswith(".safetensors"):
            save_safetensors(model, folder / name)
        else:
            wrapper = "state_dict" if ".tar" in name else None
            write_torch_checkpoint(folder / name, to_torchreid(model), wrapper=wrapper)
    return folder


def assert_same_weights(model, expected, but=()):
    actual, wanted = to_torchreid(model), to_torchreid(expected)
    for name in actual.keys() & wanted.keys() - set(but):
        np.testing.assert_array_equal(actual[name], wanted[name], err_msg=name)


@pytest.mark.large
@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file(name, model, folder):
    loaded = keras_osnet.OSNet(0.25, weights=folder / name)
    assert loaded.output_shape == (None, 10)
    assert_same_weights(loaded, model)
    assert_same_weights(keras_osnet.OSNet(0.25, weights=str(folder / name)), model)


def test_a_checkpoint_of_torchreid_with_its_epoch(model, folder):
    assert_same_weights(keras_osnet.load_model(folder / "a.pth.tar-60"), model)


@pytest.mark.large
@pytest.mark.parametrize("name", FILES)
def test_into_other_heads(name, model, folder):
    embedding = keras_osnet.OSNet(0.25, weights=folder / name, head="embedding", normalize=True)
    assert_same_weights(embedding, model)
    with pytest.warns(UserWarning, match="checkpoint's classifier has 10 classes, the model's 3"):
        other = keras_osnet.OSNet(0.25, weights=folder / name, classes=3)
    assert_same_weights(other, model, but=("classifier.weight", "classifier.bias"))
    chosen = keras_osnet.OSNet(0.25, weights=folder / name, outputs=["conv5", "predictions"])
    assert chosen.output["predictions"].shape == (None, 10)


@pytest.mark.large
@pytest.mark.parametrize("name", FILES)
def test_files_of_another_architecture(name, folder):
    with pytest.raises(ValueError, match="osnet_x0_5"):
        keras_osnet.OSNet(0.5, weights=folder / name)
    with pytest.raises(ValueError, match="osnet_ain_x0_25"):
        keras_osnet.OSNet(0.25, variant="ain", weights=folder / name)


@pytest.mark.large
@pytest.mark.parametrize("kind", ["keras", "weights.h5", "safetensors"])
def test_embedding_into_classification_gets_a_fresh_classifier(kind, tmp_path):
    embedding = keras_osnet.OSNet(0.25, head="embedding")
    path = tmp_path / f"embedding.{kind}"
    if kind == "safetensors":
        save_safetensors(embedding, path)
    else:
        (embedding.save if kind == "keras" else embedding.save_weights)(path)
    with pytest.warns(UserWarning, match="no classifier, the model one of 1000"):
        model = keras_osnet.OSNet(0.25, weights=path)
    assert_same_weights(model, embedding)


@pytest.mark.large
@pytest.mark.parametrize("feature_dim", [None, 64])
def test_weights_h5_with_another_embedding(feature_dim, tmp_path):
    arguments = {"feature_dim": feature_dim, "pooling": "max"}
    model = keras_osnet.OSNet(0.25, classes=5, **arguments)
    model.save_weights(tmp_path / "a.weights.h5")
    loaded = keras_osnet.OSNet(0.25, weights=tmp_path / "a.weights.h5", **arguments)
    assert loaded.output_shape == (None, 5)
    assert_same_weights(loaded, model)


@pytest.mark.large
def test_trained_weights_h5_with_its_optimizer(tmp_path):
    model = keras_osnet.OSNet(0.25, classes=2, input_shape=(32, 32, 3))
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(np.zeros((2, 32, 32, 3)), np.array([0, 1]))
    model.save_weights(tmp_path / "a.weights.h5")
    loaded = keras_osnet.OSNet(0.25, weights=tmp_path / "a.weights.h5")
    assert_same_weights(loaded, model)


@pytest.mark.large
def test_maps_and_pooled_features(model, folder):
    for arguments in ({}, {"pooling": "avg"}):
        for name in ("a.pth", "a.keras"):
            maps = keras_osnet.OSNet(0.25, weights=folder / name, include_top=False, **arguments)
            assert_same_weights(maps, model)


def test_safetensors_is_what_torch_expects(model, folder):
    import torch
    from safetensors.torch import load_file

    tensors = load_file(folder / "a.safetensors")
    expected = to_torchreid(model)
    assert tensors.keys() == expected.keys()
    for name, tensor in tensors.items():
        assert isinstance(tensor, torch.Tensor)
        np.testing.assert_array_equal(tensor.numpy(), expected[name])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 broken zip"])
def test_broken_files_are_named(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=name):
        keras_osnet.OSNet(0.25, weights=path)


@pytest.mark.parametrize("name", FILES)
def test_truncated_files_are_named(name, folder, tmp_path):
    path = tmp_path / name
    whole = (folder / name).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=name):
        keras_osnet.OSNet(0.25, weights=path)


def test_keras_file_of_another_model(tmp_path):
    image = keras.Input((8, 8, 3))
    keras.Model(image, keras.layers.Conv2D(4, 3)(image)).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match=r"other\.keras does not hold an OSNet"):
        keras_osnet.OSNet(0.25, weights=tmp_path / "other.keras")


def test_unknown_ending(tmp_path):
    (tmp_path / "weights.bin").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"\.safetensors.*weights\.bin"):
        read_state_dict(tmp_path / "weights.bin")


def test_saving_is_atomic(model, tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")

    def fail(temporary, content):
        with temporary.open("wb") as file:
            file.write(content[:100])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        save_safetensors(model, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_saving_under_a_wrong_name(model, tmp_path):
    with pytest.raises(ValueError, match=r"\.safetensors.*model\.pth"):
        save_safetensors(model, tmp_path / "model.pth")
    with pytest.raises(FileNotFoundError, match="missing"):
        save_safetensors(model, tmp_path / "missing" / "a.safetensors")


def test_tags_go_through_the_catalogue_and_the_hub(model, folder, monkeypatch):
    asked = []

    def download(repository, file, *, revision=None, sha256=None, size=None):
        asked.append((repository, file, revision, sha256, size))
        return folder / "a.pth"

    monkeypatch.setattr(sources, "download", download)
    loaded = keras_osnet.OSNet(0.25, weights="msmt17_combineall")
    assert_same_weights(loaded, model)
    (repository, file, revision, sha256, size) = asked[0]
    assert repository == "kaiyangzhou/osnet"
    assert file.startswith("osnet_x0_25_msmt17_combineall_256x128")
    assert len(revision) == 40
    assert len(sha256) == 64
    assert size == 9336983


@pytest.mark.large
def test_imagenet_is_224_with_its_classifier_and_256_by_128_without(folder, monkeypatch):
    monkeypatch.setattr(sources, "download", lambda *_, **__: folder / "a.pth")
    assert keras_osnet.OSNet(0.25, weights="imagenet").input_shape == (None, 224, 224, 3)
    embedding = keras_osnet.OSNet(0.25, weights="imagenet", head="embedding")
    assert embedding.input_shape == (None, 256, 128, 3)
    maps = keras_osnet.OSNet(0.25, weights="imagenet", include_top=False)
    assert maps.input_shape == (None, 256, 128, 3)
    assert keras_osnet.OSNet(0.25, weights="market1501").input_shape == (None, 256, 128, 3)


def test_what_does_not_exist_names_what_does():
    with pytest.raises(ValueError, match=r"ibn.*1\.0"):
        keras_osnet.OSNet(0.5, variant="ibn", weights="imagenet")
    with pytest.raises(ValueError, match="market1501"):
        keras_osnet.OSNet(1.0, weights="market")


@pytest.mark.large
def test_reloaded_models_never_download(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "download", lambda *_, **__: folder / "a.pth")
    keras_osnet.OSNet(0.25, weights="imagenet").save(tmp_path / "m.keras")

    def refuse(*_, **__):
        raise AssertionError("a reloaded model asked for a download")

    monkeypatch.setattr(sources, "download", refuse)
    keras.saving.load_model(tmp_path / "m.keras")


def test_a_path_that_is_wrong_says_what_is_there(tmp_path):
    with pytest.raises(ValueError, match=r"a file that does not exist.*gone\.pth"):
        keras_osnet.OSNet(0.25, weights=tmp_path / "gone.pth")
    with pytest.raises(ValueError, match=r"must be a file. Received the folder"):
        keras_osnet.OSNet(0.25, weights=tmp_path)


def test_a_file_named_like_a_tag_does_not_hide_it(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imagenet").write_bytes(b"")
    monkeypatch.setattr(sources, "download", lambda *_, **__: folder / "a.pth")
    assert keras_osnet.OSNet(0.25, weights="imagenet").output_shape == (None, 10)


def test_published_classifiers_take_softmax_or_logits(folder):
    with pytest.raises(ValueError, match=r"`classifier_activation`.*'relu'"):
        keras_osnet.OSNet(0.25, weights=folder / "a.pth", classifier_activation="relu")
    logits = keras_osnet.OSNet(0.25, weights=folder / "a.pth", classifier_activation=None)
    assert logits.layers[-1].name == "logits"
