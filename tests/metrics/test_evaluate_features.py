import tracemalloc

import numpy as np
import pytest

from keras_osnet.metrics import (
    distances,
    evaluate_features,
    evaluate_ranking,
    evaluate_single_gallery_shot,
    features,
    pairwise_distances,
    rerank_features,
)


@pytest.fixture(scope="module")
def golden(test_data):
    with np.load(test_data / "ranking.npz") as file:
        return dict(file)


def random_case(seed, num_query=60, num_gallery=200, dim=32, dtype=np.float32):
    rng = np.random.default_rng(seed)
    query = rng.standard_normal((num_query, dim)).astype(dtype)
    gallery = rng.standard_normal((num_gallery, dim)).astype(dtype)
    gallery[::7] = query[0]  # ties
    ids = rng.integers(0, 10, num_query), rng.integers(0, 10, num_gallery)
    cameras = rng.integers(0, 3, num_query), rng.integers(0, 3, num_gallery)
    return query, gallery, *ids, *cameras


def figures(result):
    return (
        result.cmc.tolist(),
        result.mean_average_precision,
        result.mean_inverse_negative_penalty,
        result.valid_queries,
    )


def small_blocks(monkeypatch, entries):
    """As many queries at a time as have so many distances, and 64 images of the gallery."""
    monkeypatch.setattr(distances, "_MIN_ROWS", 1)
    monkeypatch.setattr(distances, "_BLOCK_ENTRIES", entries)
    for module in (features, distances):
        monkeypatch.setattr(module, "PART_ROWS", 64)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("entries", [8 * 2**20, 700, 1])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_equals_the_ranking_of_the_whole_matrix_exactly(monkeypatch, metric, entries, dtype):
    small_blocks(monkeypatch, entries)
    query, gallery, *labels = random_case(0, dtype=dtype)
    for given in (labels, labels[:2]):
        matrix = pairwise_distances(query, gallery, metric)
        expected = evaluate_ranking(matrix, *given, max_rank=20)
        result = evaluate_features(query, gallery, *given, metric=metric, max_rank=20)
        assert figures(result) == figures(expected)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_reranked_equals_the_ranking_of_the_whole_matrix_exactly(monkeypatch, metric):
    query, gallery, *labels = random_case(1)
    for entries in (8 * 2**20, 3000):
        small_blocks(monkeypatch, entries)
        expected = evaluate_ranking(rerank_features(query, gallery, metric), *labels)
        result = evaluate_features(query, gallery, *labels, metric=metric, rerank=True)
        assert figures(result) == figures(expected)


@pytest.mark.parametrize("rerank", [False, True])
def test_single_gallery_shot_equals_that_of_the_whole_matrix_exactly(monkeypatch, rerank):
    query, gallery, *labels = random_case(4)
    matrix = (rerank_features if rerank else pairwise_distances)(query, gallery, "euclidean")
    for entries in (8 * 2**20, 700):
        small_blocks(monkeypatch, entries)
        for draws in ({}, {"repeats": 3, "seed": 5, "max_rank": 4}):
            expected = evaluate_single_gallery_shot(matrix, *labels, **draws)
            result = evaluate_features(
                query,
                gallery,
                *labels,
                metric="euclidean",
                rerank=rerank,
                protocol="single-gallery-shot",
                **draws,
            )
            assert figures(result) == figures(expected)


def test_reranking_takes_more_images_than_neighbors():
    query, gallery = np.eye(10, 4), np.eye(11, 4)
    evaluate_features(query, gallery, np.ones(10, int), np.ones(11, int), rerank=True)
    message = (
        r"`rerank=True` needs at least 21 images, queries and gallery together, .*"
        r"Received: 10 queries, 10 gallery images"
    )
    with pytest.raises(ValueError, match=message):
        evaluate_features(query, gallery[:10], np.ones(10, int), np.ones(10, int), rerank=True)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("rerank", [False, True])
def test_equals_reference_implementation(golden, metric, rerank):
    names = ("features", "ids", "cameras")
    arrays = [golden[f"{side}_{name}"] for name in names for side in ("query", "gallery")]
    result = evaluate_features(*arrays, metric=metric, rerank=rerank)
    prefix = "rerank_" if rerank else ""
    np.testing.assert_allclose(result.cmc, golden[f"{prefix}cmc_{metric}"], atol=1e-6)
    expected = float(golden[f"{prefix}map_{metric}"])
    assert result.mean_average_precision == pytest.approx(expected, abs=1e-6)


def test_memory_does_not_hold_the_matrix(monkeypatch):
    small_blocks(monkeypatch, 2**16)
    query, gallery, *labels = random_case(2, 1000, 3000, 4)
    tracemalloc.start()
    try:
        evaluate_features(query, gallery, *labels)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1000 * 3000 * 4 / 4


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_memory_does_not_hold_the_features_again(monkeypatch, metric):
    small_blocks(monkeypatch, 2**16)
    query, gallery, *labels = random_case(6, 20, 20_000, 64)
    tracemalloc.start()
    try:
        evaluate_features(query, gallery, *labels, metric=metric)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < gallery.nbytes / 2


def test_features_are_left_alone():
    query, gallery, *labels = random_case(3, dtype=np.float64)
    copies = query.copy(), gallery.copy()
    evaluate_features(query, gallery, *labels, metric="cosine", rerank=True)
    np.testing.assert_array_equal(query, copies[0])
    np.testing.assert_array_equal(gallery, copies[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": np.ones((2, 3))}, r"query of shape \(2, 3\), gallery of shape \(3, 4\)"),
        ({"metric": "l1"}, r"`metric`.*Received: 'l1'"),
        ({"max_rank": 0}, r"`max_rank` must be .*at least 1. Received: 0"),
        (
            {"protocol": "cuhk03"},
            r'`protocol` must be "market1501" or "single-gallery-shot". Received: \'cuhk03\'',
        ),
        ({"repeats": 0}, r"`repeats` must be .*at least 1. Received: 0"),
        ({"seed": -1}, r"`seed` must be .*at least 0. Received: -1"),
        (
            {"query_ids": [1]},
            r"`query_ids` must have shape \(2,\) to go with the features. "
            r"Received: query_ids of shape \(1,\), features of shape \(2, 3\)",
        ),
        ({"gallery_cameras": [0, 0, 0]}, r"gallery_cameras but no query_cameras"),
        ({"gallery": np.full((3, 4), np.nan)}, r"`gallery` must be finite.*Received: nan in row 0"),
        ({"gallery_ids": [3, 4, 5]}, r"No query identity appears in the gallery. Received"),
    ],
)
def test_errors_name_the_argument(changes, message):
    arguments = {
        "query": np.ones((2, 4)),
        "gallery": np.ones((3, 4)),
        "query_ids": [1, 2],
        "gallery_ids": [1, 2, 3],
    }
    evaluate_features(**arguments)
    with pytest.raises(ValueError, match=message):
        evaluate_features(**{**arguments, **changes})
