import tracemalloc
from math import exp

import numpy as np
import pytest

from keras_osnet.metrics import distances, evaluate_ranking, pairwise_distances
from keras_osnet.metrics.reranking import k_reciprocal_rerank, rerank_features


@pytest.fixture(scope="module")
def golden(test_data):
    with np.load(test_data / "ranking.npz") as file:
        return dict(file)


def clustered(seed, num_query=9, num_gallery=30, identities=6, noise=1.0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, identities, num_query + num_gallery)
    features = rng.standard_normal((identities, 5))[ids]
    features += noise * rng.standard_normal(features.shape)
    return features[:num_query], features[num_query:]


def matrices(query, gallery, metric="euclidean"):
    pairs = (query, gallery), (query, query), (gallery, gallery)
    return [pairwise_distances(*pair, metric) for pair in pairs]


def by_plain_loops(query_gallery, query_query, gallery_gallery, k1, k2, lambda_value):
    """The paper, one image, one neighbor at a time."""
    whole = np.block([[query_query, query_gallery], [query_gallery.T, gallery_gallery]])
    images, num_query = range(len(whole)), len(query_query)
    # Column i holds the distances to image i.
    squares = [[np.float32(whole[j][i]) ** 2 for j in images] for i in images]
    d = [[value / max(row) if max(row) > 0 else value for value in row] for row in squares]
    ranked = [sorted(images, key=lambda j, row=row: (row[j], j)) for row in d]

    def reciprocal(i, k):
        return {j for j in ranked[i][: k + 1] if i in ranked[j][: k + 1]}

    codes = []
    for i in images:
        expanded = set(reciprocal(i, k1))
        for j in reciprocal(i, k1):
            theirs = reciprocal(j, round(k1 / 2))
            if len(theirs & reciprocal(i, k1)) > 2 / 3 * len(theirs):
                expanded |= theirs
        weights = {j: exp(-d[i][j]) for j in expanded}
        codes.append({j: weight / sum(weights.values()) for j, weight in weights.items()})
    if k2 > 1:
        nearest = [ranked[i][:k2] for i in images]
        codes = [
            {j: sum(codes[n].get(j, 0) for n in near) / len(near) for j in images}
            for near in nearest
        ]
    result = np.empty((num_query, len(whole) - num_query))
    for i in range(num_query):
        for g in range(num_query, len(whole)):
            shared = sum(min(codes[i].get(j, 0), codes[g].get(j, 0)) for j in images)
            jaccard = 1 - shared / (2 - shared)
            result[i, g - num_query] = (1 - lambda_value) * jaccard + lambda_value * d[i][g]
    return result


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_equals_reference_implementation(golden, metric):
    query, gallery = golden["query_features"], golden["gallery_features"]
    given = matrices(query, gallery, metric)
    for first in (given[0], golden[f"distance_{metric}"]):
        result = k_reciprocal_rerank(first, *given[1:])
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, golden[f"rerank_{metric}"], rtol=0, atol=1e-6)
    result = rerank_features(query, gallery, metric)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, golden[f"rerank_{metric}"], rtol=0, atol=1e-6)

    sides = [golden[f"{side}_{what}"] for what in ("ids", "cameras") for side in SIDES]
    ranking = evaluate_ranking(result, *sides)
    np.testing.assert_allclose(ranking.cmc, golden[f"rerank_cmc_{metric}"], atol=1e-6)
    expected = float(golden[f"rerank_map_{metric}"])
    assert ranking.mean_average_precision == pytest.approx(expected, abs=1e-6)


SIDES = ("query", "gallery")


@pytest.mark.parametrize(
    ("k1", "k2", "lambda_value"),
    [(20, 6, 0.3), (6, 3, 0.3), (5, 1, 0.0), (1, 1, 0.5), (3, 8, 1.0), (100, 100, 0.1)],
)
def test_equals_plain_loops(k1, k2, lambda_value):
    for seed in range(3):
        query, gallery = clustered(seed)
        given = matrices(query, gallery)
        expected = by_plain_loops(*given, k1, k2, lambda_value)
        result = k_reciprocal_rerank(*given, k1, k2, lambda_value)
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)
        result = rerank_features(query, gallery, "euclidean", k1, k2, lambda_value)
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_ties_go_by_index(dtype):
    rng = np.random.default_rng(0)
    points = rng.integers(0, 4, (40, 2))  # many at the same place
    given = [m.astype(dtype) for m in matrices(points[:10], points[10:])]
    for k1, k2 in ((20, 6), (4, 2), (1, 3)):
        expected = by_plain_loops(*given, k1, k2, 0.3)
        result = k_reciprocal_rerank(*given, k1, k2)
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


def test_matrices_that_are_not_symmetric_are_read_as_the_reference_reads_them():
    rng = np.random.default_rng(0)
    given = rng.random((7, 20)), rng.random((7, 7)), rng.random((20, 20))
    for matrix in given[1:]:
        np.fill_diagonal(matrix, 0)
    expected = by_plain_loops(*given, 5, 3, 0.3)
    np.testing.assert_allclose(k_reciprocal_rerank(*given, 5, 3), expected, rtol=0, atol=1e-6)


def test_image_with_more_copies_than_neighbors():
    # The last copies are nobody's nearest: their code is empty, and shares nothing with any.
    query, gallery = np.zeros((1, 2)), np.array([[0, 0]] * 9 + [[1, 0], [0, 2]])
    for first, second in ((query, gallery), (gallery, query)):
        given = matrices(first, second)
        for k2 in (1, 2):
            expected = by_plain_loops(*given, 3, k2, 0.3)
            result = k_reciprocal_rerank(*given, 3, k2)
            np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


def test_stays_between_0_and_1():
    for lambda_value in (0, 0.3, 1):
        query, gallery = clustered(0, noise=0.01)
        query[0] = gallery[0]
        result = rerank_features(query, gallery, "euclidean", 6, 3, lambda_value)
        assert result.min() >= 0
        assert result.max() <= 1


def test_images_that_are_all_alike():
    result = rerank_features(np.ones((2, 3)), np.ones((4, 3)))
    np.testing.assert_array_equal(result, np.zeros((2, 4)))


@pytest.mark.parametrize("entries", [1, 100, 300])
def test_blocks_change_nothing(monkeypatch, entries):
    query, gallery = clustered(3)
    given = matrices(query, gallery)
    whole = k_reciprocal_rerank(*given, 6, 3)
    monkeypatch.setattr(distances, "_BLOCK_ENTRIES", entries)  # of 39 distances a row
    np.testing.assert_array_equal(k_reciprocal_rerank(*given, 6, 3), whole)
    result = rerank_features(query, gallery, "euclidean", 6, 3)
    np.testing.assert_allclose(result, whole, rtol=0, atol=1e-6)


def test_arguments_are_left_alone():
    query, gallery = clustered(0)
    arrays = [query, gallery, *matrices(query, gallery)]
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    rerank_features(query, gallery, "cosine")
    k_reciprocal_rerank(*arrays[2:])
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_memory_does_not_grow_with_the_square_of_the_images(monkeypatch):
    monkeypatch.setattr(distances, "_BLOCK_ENTRIES", 2**16)
    query, gallery = clustered(0, 20, 3000, identities=300, noise=0.1)
    tracemalloc.start()
    try:
        rerank_features(query, gallery)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3020**2 * 4 / 3


GOOD = np.ones((2, 3)), np.ones((2, 2)), np.ones((3, 3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query_gallery": np.ones(3)}, r"`query_gallery`.*Received: shape \(3,\)"),
        ({"query_gallery": np.ones((0, 3))}, r"`query_gallery`.*Received: shape \(0, 3\)"),
        ({"query_query": GOOD[2]}, r"`query_query` must have shape \(2, 2\).*of shape \(3, 3\)"),
        ({"gallery_gallery": GOOD[0]}, r"`gallery_gallery` must have shape \(3, 3\).*\(2, 3\)"),
        ({"k1": 0}, r"`k1` must be .*at least 1. Received: 0"),
        ({"k2": 0}, r"`k2` must be .*at least 1. Received: 0"),
        ({"lambda_value": 1.5}, r"`lambda_value` must be a number from 0 to 1. Received: 1.5"),
        (
            {"gallery_gallery": GOOD[2] * np.nan},
            r"`gallery_gallery` must be finite.*Received: nan in row 0",
        ),
        (
            {"query_query": GOOD[1] * np.inf},
            r"`query_query` must be finite.*Received: (inf|nan) in row",
        ),
        ({"query_query": GOOD[1] * 1e20}, r"finite.*Received: a square of inf for image 0"),
    ],
)
def test_errors_name_the_argument(changes, message):
    names = "query_gallery", "query_query", "gallery_gallery"
    arguments = dict(zip(names, GOOD, strict=True))
    k_reciprocal_rerank(**arguments)
    with pytest.raises(ValueError, match=message):
        k_reciprocal_rerank(**{**arguments, **changes})


def test_errors_of_features():
    with pytest.raises(ValueError, match=r"same feature dimension. Received: query of shape"):
        rerank_features(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"`metric`.*Received: 'l1'"):
        rerank_features(np.ones((2, 3)), np.ones((2, 3)), "l1")
    with pytest.raises(ValueError, match=r"`k1` must be .*at least 1. Received: 0"):
        rerank_features(np.ones((2, 3)), np.ones((2, 3)), k1=0)
