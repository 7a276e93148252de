"""The weights that come with the package: whole, small, and good for what they are for."""

import pytest

import keras_osnet
from keras_osnet.metrics import evaluate_attributes, evaluate_ranking, pairwise_distances
from keras_osnet.synthetic import synthetic_people
from keras_osnet.weights import catalogue, list_weights, sources
from keras_osnet.weights.catalogue import find_weights

BUNDLED = [checkpoint for checkpoint in list_weights() if checkpoint.repository is None]
UNSEEN = range(20_000, 20_024)


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    def download(*_, **__):
        raise AssertionError("bundled weights must not be downloaded")

    monkeypatch.setattr(sources, "download", download)


def test_tags():
    assert {checkpoint.tag for checkpoint in BUNDLED} == {"synthetic", "synthetic_attributes"}


@pytest.mark.parametrize("tag", ["synthetic", "synthetic_attributes"])
def test_files_are_whole_and_small(tag):
    checkpoint = find_weights(tag, variant="base", width=0.25)
    path = catalogue.bundled_file(checkpoint.file, checkpoint.sha256)
    assert path.stat().st_size == checkpoint.size <= 1_000_000
    assert (path.parent / "README.md").is_file()


@pytest.mark.large
def test_they_find_synthetic_people_outside_their_training_data():
    model = keras_osnet.OSNet(
        0.25, head="embedding", weights="synthetic", include_preprocessing=True
    )
    assert model.input_shape == (None, 128, 64, 3)
    people = synthetic_people(UNSEEN, cameras=2, views=1, image_size=(128, 64))
    vectors = model.predict(people.images, verbose=0)
    first, second = people.cameras == 0, people.cameras == 1
    result = evaluate_ranking(
        pairwise_distances(vectors[first], vectors[second], metric="cosine"),
        people.identities[first],
        people.identities[second],
    )
    assert result.rank(1) > 0.6


@pytest.mark.large
def test_they_recognize_attributes_of_synthetic_people():
    model = keras_osnet.OSNet(
        0.25,
        head="attribute",
        pooling="max",
        weights="synthetic_attributes",
        include_preprocessing=True,
    )
    people = synthetic_people(UNSEEN, cameras=2, views=2, image_size=(128, 64))
    scores = model.predict(people.images, verbose=0)
    told = people.attributes.std(axis=0) > 0  # those that some have and some have not
    result = evaluate_attributes(scores[:, told], people.attributes[:, told])
    assert result.mean_accuracy > 0.75


def test_a_folder_of_the_tags_name_does_not_get_in_the_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "synthetic").mkdir()
    path = sources.resolve_weights("synthetic", variant="base", width=0.25)
    assert path.name == "model.safetensors"


def test_another_width_is_refused():
    with pytest.raises(ValueError, match=r'"synthetic" are published for.*0\.25.*Received'):
        keras_osnet.OSNet(1.0, weights="synthetic")


def test_missing_and_damaged(tmp_path, monkeypatch):
    checkpoint = BUNDLED[0]
    monkeypatch.setattr(
        catalogue, "_BUNDLED_FOLDERS", [tmp_path / "package", tmp_path / "checkout"]
    )
    with pytest.raises(FileNotFoundError, match=r"reinstall keras-osnet.*Received"):
        catalogue.bundled_file(checkpoint.file, checkpoint.sha256)
    file = tmp_path / "checkout" / checkpoint.file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match=r"damaged.*Received"):
        catalogue.bundled_file(checkpoint.file, checkpoint.sha256)
