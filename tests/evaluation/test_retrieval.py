"""Ensembles, mirror images, re-ranking, protocols and splits, against plain computations."""

import numpy as np
import pytest

import keras_osnet
from keras_osnet.data import PersonImage, split_by_camera
from keras_osnet.evaluation import embed_images, evaluate_retrieval, evaluate_splits
from keras_osnet.evaluation.embed import embed_by_all
from keras_osnet.metrics import (
    evaluate_ranking,
    evaluate_single_gallery_shot,
    expand_queries,
    normalize,
    pairwise_distances,
    rerank_features,
)
from keras_osnet.synthetic import write_synthetic_people


def osnet(size, **arguments):
    return keras_osnet.OSNet(
        0.25, head="embedding", input_shape=(*size, 3), include_preprocessing=True, **arguments
    )


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_synthetic_people(
        tmp_path_factory.mktemp("people"), 4, views=3, image_size=(64, 32)
    )


@pytest.fixture(scope="module")
def sides(people):
    return split_by_camera(people)


@pytest.fixture(scope="module")
def models():
    """Two that take images of different sizes."""
    return [osnet((64, 32)), osnet((48, 32), feature_dim=64)]


@pytest.fixture(scope="module")
def vectors(people, models):
    """For each model, the embedding of each file."""
    paths = [person.path for person in people]
    return [dict(zip(paths, embed_images(model, paths).vectors, strict=True)) for model in models]


def of(vectors, people):
    return np.stack([vectors[person.path] for person in people])


def labels(query, gallery):
    return (
        [person.identity for person in query],
        [person.identity for person in gallery],
        [person.camera for person in query],
        [person.camera for person in gallery],
    )


def assert_same(ranking, expected):
    np.testing.assert_allclose(ranking.cmc, expected.cmc, atol=1e-12)
    assert ranking.mean_average_precision == pytest.approx(expected.mean_average_precision)
    assert ranking.mean_inverse_negative_penalty == pytest.approx(
        expected.mean_inverse_negative_penalty
    )


@pytest.mark.large
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_an_ensemble_puts_unit_vectors_side_by_side(sides, models, vectors, metric):
    done = []
    result = evaluate_retrieval(models, *sides, metric=metric, batch_size=10, progress=done.append)
    assert done == [10, 20, 24, 34, 44, 48]
    together = []
    for side in sides:
        parts = [of(one, side) for one in vectors]
        together.append(
            np.hstack([part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts])
        )
    assert together[0].shape == (12, 576)
    expected = evaluate_ranking(pairwise_distances(*together, metric), *labels(*sides))
    assert_same(result.ranking, expected)


def test_an_ensemble_of_one_is_that_model(people, models, vectors):
    paths = [person.path for person in people]
    embedded = embed_by_all(models[:1], paths)
    assert embedded.paths == paths
    np.testing.assert_allclose(embedded.vectors, of(vectors[0], people), atol=1e-5)


def test_an_ensemble_and_files_that_cannot_be_read(people, models, tmp_path, monkeypatch):
    paths = [person.path for person in people[:5]]
    missing = tmp_path / "missing.png"
    embedded = embed_by_all(models, [missing, *paths])
    assert embedded.paths == paths
    assert list(embedded.unreadable) == [missing]
    whole = embed_by_all(models, paths)
    np.testing.assert_allclose(embedded.vectors, whole.vectors, atol=1e-5)

    embedded = embed_by_all(models, [missing])
    assert embedded.vectors.shape == (0, 576)
    assert len(embedded.unreadable) == 1

    # A file that goes away after the first model has read it.
    fleeting = tmp_path / "fleeting.png"
    fleeting.write_bytes(paths[0].read_bytes())
    done = []

    def progress(count):
        done.append(count)
        fleeting.unlink(missing_ok=True)

    embedded = embed_by_all(models, [paths[0], fleeting, *paths[1:]], progress=progress)
    assert done == [6, 12]
    assert embedded.paths == paths
    np.testing.assert_allclose(embedded.vectors, whole.vectors, atol=1e-5)


def test_ensemble_errors(sides, models):
    with pytest.raises(ValueError, match=r"`model` must be a model or.*Received: none"):
        evaluate_retrieval([], *sides)
    done = []
    maps = keras_osnet.OSNet(0.25, include_top=False, input_shape=(64, 32, 3))
    with pytest.raises(ValueError, match=r"one output.*Received: output of shape"):
        evaluate_retrieval([models[0], maps], *sides, progress=done.append)
    assert done == []  # before the first model got to work


def test_mirror_images(sides, models):
    result = evaluate_retrieval(models[0], *sides, flip=True)
    flipped = [
        embed_images(models[0], [person.path for person in side], flip=True).vectors
        for side in sides
    ]
    expected = evaluate_ranking(pairwise_distances(*flipped, "cosine"), *labels(*sides))
    assert_same(result.ranking, expected)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_reranking(sides, models, vectors, metric):
    result = evaluate_retrieval(models[0], *sides, metric=metric, rerank=True)
    features = [of(vectors[0], side) for side in sides]
    reranked = rerank_features(*features, metric, k1=20, k2=6, lambda_value=0.3)
    assert_same(result.ranking, evaluate_ranking(reranked, *labels(*sides)))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("expansion", [None, 2])
@pytest.mark.parametrize("means", [False, True])
def test_camera_means_and_query_expansion(sides, models, vectors, means, expansion, metric):
    result = evaluate_retrieval(
        models[0], *sides, metric=metric, camera_means=means, query_expansion=expansion
    )
    query, gallery = (of(vectors[0], side) for side in sides)
    if means:
        # Queries are of one camera, and the gallery of the other.
        query, gallery = (
            normalize(side - side.mean(axis=0)) for side in (normalize(query), normalize(gallery))
        )
    if expansion:
        query, gallery = expand_queries(query, gallery, expansion), normalize(gallery)
    distances = pairwise_distances(query, gallery, metric)
    expected = evaluate_ranking(distances, *labels(*sides))
    assert result.ranking.mean_average_precision == pytest.approx(
        expected.mean_average_precision, abs=1e-6
    )


def test_too_few_images_to_rerank(sides, models):
    query, gallery = sides
    message = r"`rerank=True` needs at least 21 images.*Received: 8 queries, 12 gallery images"
    with pytest.raises(ValueError, match=message):
        evaluate_retrieval(models[0], query[:8], gallery, rerank=True)


def test_single_gallery_shot(people, models, vectors):
    """As in CUHK03's classic splits, all images are queries and gallery."""
    features = of(vectors[0], people)
    distances = pairwise_distances(features, features, "cosine")
    for draws in ({}, {"repeats": 10, "seed": 3}):
        result = evaluate_retrieval(
            models[0], people, people, protocol="single-gallery-shot", **draws
        )
        expected = evaluate_single_gallery_shot(distances, *labels(people, people), **draws)
        assert len(result.ranking.cmc) == 4
        assert_same(result.ranking, expected)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"protocol": "cuhk03"}, r"`protocol` must be .*Received: 'cuhk03'"),
        ({"metric": "manhattan"}, r"`metric` must be .*Received: 'manhattan'"),
        ({"max_rank": 0}, r"`max_rank` must be .*Received: 0"),
        ({"repeats": 0}, r"`repeats` must be .*Received: 0"),
    ],
)
def test_what_can_be_said_before_hours_of_work(sides, models, wrong, message):
    done = []
    with pytest.raises(ValueError, match=message):
        evaluate_retrieval(models[0], *sides, progress=done.append, **wrong)
    assert done == []


def test_splits_are_evaluated_each_for_itself(people, models, tmp_path):
    missing = PersonImage(tmp_path / "missing.png", 1, 1)
    query, gallery = split_by_camera(people, 1)
    splits = [([missing, *query], gallery), split_by_camera(people, 2)]
    done = []
    results = evaluate_splits(models[0], splits, progress=done.append)
    assert done == [25]  # an image that is in both splits is embedded once
    for result, split in zip(results, splits, strict=True):
        alone = evaluate_retrieval(models[0], *split)
        assert_same(result.ranking, alone.ranking)
        assert (result.queries, result.gallery) == (alone.queries, alone.gallery) == (12, 12)
        assert list(result.unreadable) == list(alone.unreadable)
    assert [len(result.unreadable) for result in results] == [1, 0]
    with pytest.raises(ValueError, match=r"`splits` must be a list.*Received: none"):
        evaluate_splits(models[0], [])
