import tracemalloc

import numpy as np
import pytest

from keras_osnet.metrics import distances, evaluate_features, features, rerank_features
from keras_osnet.metrics.distances import blocks, pairwise_distances


@pytest.fixture(scope="module")
def golden(test_data):
    with np.load(test_data / "ranking.npz") as file:
        return dict(file)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_equals_reference_implementation(golden, metric):
    ours = pairwise_distances(golden["query_features"], golden["gallery_features"], metric)
    theirs = golden[f"distance_{metric}"]
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    # A few units in the last place of the largest term, which is where float32 rounds.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=4 * np.spacing(theirs.max()))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8])
def test_equals_plain_loops(dtype):
    rng = np.random.default_rng(0)
    query = (rng.standard_normal((5, 7)) * 3).astype(dtype)
    gallery = (rng.standard_normal((6, 7)) * 3).astype(dtype)
    squared = pairwise_distances(query, gallery, "euclidean")
    cosine = pairwise_distances(query, gallery, "cosine")
    for i, q in enumerate(query.astype(np.float64)):
        for j, g in enumerate(gallery.astype(np.float64)):
            assert squared[i, j] == pytest.approx(sum((q - g) ** 2), rel=1e-6)
            similarity = sum(q * g) / (sum(q**2) * sum(g**2)) ** 0.5
            assert cosine[i, j] == pytest.approx(1 - similarity, abs=1e-6)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_equal_vectors_are_at_distance_zero(metric):
    some = np.random.default_rng(0).standard_normal((50, 512)).astype(np.float32) * 10
    result = pairwise_distances(some, some, metric)
    assert result.min() >= 0
    assert np.diag(result).max() < 1e-10
    # Opposite vectors: rounding must not take the cosine distance past 2.
    assert pairwise_distances(some, -some, "cosine").max() <= 2


def test_zero_and_tiny_vectors_are_normalized_as_torch_does():
    torch = pytest.importorskip("torch")
    query = np.array([[0, 0], [1e-14, 0], [3e-13, 4e-13], [1e-3, 0]])
    gallery = np.array([[2.0, 1.0], [0.0, 0.0]])
    unit_query = torch.nn.functional.normalize(torch.tensor(query))
    unit_gallery = torch.nn.functional.normalize(torch.tensor(gallery))
    np.testing.assert_allclose(
        pairwise_distances(query, gallery, "cosine"),
        1 - (unit_query @ unit_gallery.T).numpy(),
        atol=1e-7,
    )


def test_cosine_of_huge_values_does_not_overflow():
    result = pairwise_distances([[1e300, 0.0]], [[1e300, 1e300], [-1.0, 0.0]], "cosine")
    np.testing.assert_allclose(result, [[1 - 0.5**0.5, 2.0]], rtol=1e-6)


def test_accepts_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    some = np.array([[1, 2], [3, 4]], ml_dtypes.bfloat16)
    assert pairwise_distances(some, some, "euclidean").tolist() == [[0, 8], [8, 0]]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_blocks_change_nothing(monkeypatch, metric):
    rng = np.random.default_rng(0)
    query, gallery = rng.standard_normal((11, 8)), rng.standard_normal((5, 8))
    whole = pairwise_distances(query, gallery, metric)
    monkeypatch.setattr(distances, "_MIN_ROWS", 1)
    monkeypatch.setattr(distances, "_BLOCK_ENTRIES", 15)  # three queries at a time
    np.testing.assert_allclose(pairwise_distances(query, gallery, metric), whole, atol=1e-6)
    monkeypatch.setattr(features, "PART_ROWS", 2)  # two gallery images at a time
    np.testing.assert_allclose(pairwise_distances(query, gallery, metric), whole, atol=1e-6)
    monkeypatch.setattr(distances, "_BLOCK_ENTRIES", 1)  # fewer than one query's distances
    np.testing.assert_allclose(pairwise_distances(query, gallery, metric), whole, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "largest"),
    # 256 MiB; never so few that the gallery is turned into float64 for nothing; never so many
    # that the queries themselves take much memory in float64.
    [((11659, 82161), 816), ((1000, 1_000_000), 128), ((100_000, 10), 2048), ((7, 10), 7)],
)
def test_blocks_are_neither_large_nor_tiny(shape, largest):
    parts = list(blocks(shape))
    assert parts[0] == slice(0, largest)
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(shape[0]))


def test_memory_beyond_the_result_is_bounded(monkeypatch):
    monkeypatch.setattr(distances, "_BLOCK_ENTRIES", 2**16)
    same = np.ones((3000, 4), np.float32)
    tracemalloc.start()
    try:
        result = pairwise_distances(same, same, "euclidean")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < result.nbytes + 2**22


def test_what_is_too_large_is_found_anywhere():
    # The row of the offender is in the second block of queries and part of the gallery.
    query, gallery = np.ones((2100, 2)), np.ones((4200, 2))
    gallery[-1] = -1e20
    with pytest.raises(ValueError, match=r"must fit float32.*magnitudes 1 and 1e\+20"):
        pairwise_distances(query, gallery, "euclidean")
    assert pairwise_distances(query, gallery, "cosine")[-1, -1] == 2


GOOD = np.ones((3, 4))


@pytest.mark.parametrize(
    ("query", "gallery", "metric", "message"),
    [
        (GOOD, GOOD, "manhattan", r"`metric`.*Received: 'manhattan'"),
        (GOOD[0], GOOD, "euclidean", r"`query`.*Received: shape \(4,\)"),
        (GOOD, GOOD[None], "euclidean", r"`gallery`.*Received: shape \(1, 3, 4\)"),
        (GOOD[:0], GOOD, "euclidean", r"`query` must be a non-empty.*shape \(0, 4\)"),
        (GOOD, GOOD[:, :0], "cosine", r"`gallery` must be a non-empty.*shape \(3, 0\)"),
        (GOOD, GOOD[:, :2], "cosine", r"query of shape \(3, 4\), gallery of shape \(3, 2\)"),
        (GOOD, GOOD.astype(str), "euclidean", r"`gallery` must hold real numbers.*<U"),
        (GOOD * 1j, GOOD, "euclidean", r"`query` must hold real numbers.*complex128"),
        (GOOD * 1e30, GOOD, "euclidean", r"must fit float32.*1e\+30 and 1"),
        (GOOD * 1e300, GOOD * 1e300, "euclidean", r"must fit float32.*1e\+300 and 1e\+300"),
    ],
)
def test_errors_name_the_argument(query, gallery, metric, message):
    with pytest.raises(ValueError, match=message):
        pairwise_distances(query, gallery, metric)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["query", "gallery"])
def test_not_finite_names_the_first_bad_row(side, value):
    bad = np.ones((5, 4))
    bad[[2, 4], 1] = value
    arguments = {"query": GOOD, "gallery": GOOD, side: bad}
    message = rf"`{side}`.*Received: {value} in row 2 \(2 of 5 rows are affected\)"
    with pytest.raises(ValueError, match=message):
        pairwise_distances(**arguments)


def test_cosine_is_the_default_everywhere_and_was_euclidean_before():
    query, gallery = np.eye(30, 8) + 1.0, np.eye(30, 8)[::-1] + 0.5
    ids = np.arange(30)
    assert np.array_equal(
        pairwise_distances(query, gallery), pairwise_distances(query, gallery, "cosine")
    )
    assert not np.array_equal(
        pairwise_distances(query, gallery), pairwise_distances(query, gallery, "euclidean")
    )
    assert np.array_equal(
        rerank_features(query, gallery), rerank_features(query, gallery, "cosine")
    )
    default, cosine = (
        evaluate_features(query, gallery, ids, ids[::-1], **options).to_dict()
        for options in ({}, {"metric": "cosine"})
    )
    assert default == cosine
