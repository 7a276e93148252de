"""From files to embeddings and to retrieval figures."""

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet.data import (
    ImageReadError,
    PersonImage,
    read_image,
    split_by_camera,
)
from keras_osnet.evaluation import embed_images, evaluate_retrieval
from keras_osnet.metrics import evaluate_ranking, pairwise_distances
from keras_osnet.synthetic import (
    write_synthetic_people,
)


def osnet(**arguments):
    return keras_osnet.OSNet(0.25, **{"head": "embedding", "input_shape": (64, 32, 3), **arguments})


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_synthetic_people(
        tmp_path_factory.mktemp("people"), 3, views=2, image_size=(96, 40)
    )


@pytest.fixture(scope="module")
def model():
    return osnet(include_preprocessing=True)


@pytest.mark.backends
def test_embeddings_are_those_of_the_images_one_by_one(people, model):
    paths = [person.path for person in people]
    done = []
    embedded = embed_images(model, paths, batch_size=5, progress=done.append)
    assert done == [5, 10, 12]
    assert embedded.paths == paths
    assert embedded.vectors.dtype == "float32"
    images = np.stack([read_image(path, (64, 32)) for path in paths])
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    np.testing.assert_allclose(embedded.vectors, expected, rtol=1e-4, atol=1e-5)


def test_preprocessing_outside_the_model(people, model):
    paths = [person.path for person in people]
    plain = osnet()
    plain.set_weights(model.get_weights())
    np.testing.assert_allclose(
        embed_images(plain, paths).vectors,
        embed_images(model, paths).vectors,
        rtol=1e-4,
        atol=1e-5,
    )


def test_unreadable_files_shift_nothing(people, model, tmp_path):
    paths = [person.path for person in people]
    broken = tmp_path / "broken.png"
    broken.write_bytes(paths[0].read_bytes()[:500])
    mixed = [broken, *paths[:6], tmp_path / "missing.png", broken, *paths[6:]]
    embedded = embed_images(model, mixed, batch_size=4, skip_unreadable=True)
    assert embedded.paths == paths
    assert [path.name for path in embedded.unreadable] == ["broken.png", "missing.png"]
    whole = embed_images(model, paths, batch_size=4).vectors
    np.testing.assert_allclose(embedded.vectors, whole, rtol=1e-4, atol=1e-5)
    assert embed_images(model, [broken], skip_unreadable=True).vectors.shape == (0, 512)
    with pytest.raises(ImageReadError, match=r"Received: .*missing\.png"):
        embed_images(model, [*paths, tmp_path / "missing.png"], batch_size=4)


def test_mirror_images(people, model):
    paths = [person.path for person in people]
    images = np.stack([read_image(path, (64, 32)) for path in paths])
    straight, mirrored = (
        keras.ops.convert_to_numpy(model(np.ascontiguousarray(side), training=False))
        for side in (images, images[:, :, ::-1])
    )
    embedded = embed_images(model, paths, batch_size=5, flip=True)
    np.testing.assert_allclose(embedded.vectors, (straight + mirrored) / 2, rtol=1e-4, atol=1e-5)
    assert not np.allclose(embedded.vectors, straight, rtol=1e-3)


def test_saving(people, model, tmp_path):
    embedded = embed_images(model, [people[0].path])
    with pytest.raises(ValueError, match=r"end in \.npz.*Received: .*vectors"):
        embedded.save(tmp_path / "vectors")
    with pytest.raises(FileNotFoundError, match="no folder"):
        embedded.save(tmp_path / "no" / "vectors.npz")
    assert list(tmp_path.iterdir()) == []


def test_any_size(people):
    paths = [people[0].path]
    model = osnet(input_shape=(None, None, 3))
    assert embed_images(model, paths, image_size=(48, 32)).vectors.shape == (1, 512)
    with pytest.raises(ValueError, match=r"`image_size` must be given.*Received: image_size=None"):
        embed_images(model, paths)


def test_embedding_errors(people, model):
    paths = [people[0].path]
    with pytest.raises(ValueError, match=r"agree.*Received: image_size=\(64, 64\)"):
        embed_images(model, paths, image_size=(64, 64))
    with pytest.raises(ValueError, match="`paths` must name"):
        embed_images(model, [])
    with pytest.raises(ValueError, match=r"`batch_size` must be.*Received: 0"):
        embed_images(model, paths, batch_size=0)
    with pytest.raises(ValueError, match=r"one output.*Received: output of shape"):
        embed_images(osnet(head=None, include_top=False), paths)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_retrieval_is_embedding_distance_and_ranking(people, model, tmp_path, metric):
    query, gallery = split_by_camera(people)
    broken = tmp_path / "broken.png"
    broken.touch()
    result = evaluate_retrieval(
        model,
        [PersonImage(broken, 9, 1), *query],
        [*gallery, PersonImage(broken, 9, 2)],
        metric=metric,
    )
    sides = [embed_images(model, [person.path for person in side]) for side in (query, gallery)]
    expected = evaluate_ranking(
        pairwise_distances(sides[0].vectors, sides[1].vectors, metric),
        [person.identity for person in query],
        [person.identity for person in gallery],
    )
    assert result.ranking.mean_average_precision == pytest.approx(expected.mean_average_precision)
    np.testing.assert_allclose(result.ranking.cmc, expected.cmc)
    assert (result.queries, result.gallery, result.cameras_known) == (6, 6, True)
    assert list(result.unreadable) == [broken]


def test_a_side_without_a_readable_image(people, model, tmp_path):
    missing = [PersonImage(tmp_path / "missing.png", 1, 1)]
    with pytest.raises(ValueError, match="`query` has no image that can be read"):
        evaluate_retrieval(model, missing, people)
    with pytest.raises(ValueError, match="`gallery` has no image that can be read"):
        evaluate_retrieval(model, people, missing)


def test_images_without_cameras(people, model):
    bare = [PersonImage(person.path, person.identity, None) for person in people]
    result = evaluate_retrieval(model, bare, bare)
    assert result.ranking.rank(1) == 1  # every image finds itself
    assert result.gallery == 12
    assert not result.cameras_known
    assert not evaluate_retrieval(model, people, [*people[1:], bare[0]]).cameras_known
