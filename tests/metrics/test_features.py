import numpy as np
import pytest

from keras_osnet.metrics import concatenate_features, flip_average, normalize, pairwise_distances


def features(seed, dim=8, images=6, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal((images, dim)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_normalize_equals_plain_loops(dtype):
    given = features(0, dtype=dtype)
    result = normalize(given)
    assert result.dtype == np.float32
    for row, vector in zip(result, given.astype(np.float64), strict=True):
        length = sum(value**2 for value in vector) ** 0.5
        np.testing.assert_allclose(row, [value / length for value in vector], rtol=1e-6)


def test_normalize_small_and_large_vectors():
    result = normalize([[0, -0.0], [3e-13, 4e-13], [-3e300, 4e300]])
    np.testing.assert_allclose(result, [[0, 0], [0.3, 0.4], [-0.6, 0.8]], rtol=1e-6)


def test_normalized_euclidean_is_twice_cosine():
    query, gallery = features(0), features(1)
    np.testing.assert_allclose(
        pairwise_distances(normalize(query), normalize(gallery), "euclidean"),
        2 * pairwise_distances(query, gallery, "cosine"),
        atol=1e-6,
    )


def test_flip_average():
    first, second = features(0), features(1)
    result = flip_average(first, second)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, (first + second) / 2, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(flip_average(first, first), first)


def test_concatenated_cosine_is_the_mean_of_the_models():
    sides = [[features(seed, dim) * scale for seed, dim, scale in case] for case in CASES]
    query, gallery = (concatenate_features(side) for side in sides)
    assert query.dtype == np.float32
    assert query.shape == (6, 11)
    expected = np.mean(
        [pairwise_distances(q, g, "cosine") for q, g in zip(*sides, strict=True)], axis=0
    )
    np.testing.assert_allclose(pairwise_distances(query, gallery, "cosine"), expected, atol=1e-6)


# Seed, dimension and scale of two models' features.
CASES = [(0, 8, 1), (1, 3, 100)], [(2, 8, 1), (3, 3, 100)]


def test_arguments_are_left_alone():
    given = features(0, dtype=np.float64)
    given.setflags(write=False)
    normalize(given)
    flip_average(given, given)
    concatenate_features([given])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: normalize([1.0]), r"`features` must be a non-empty.*Received: shape \(1,\)"),
        (lambda: normalize([[np.inf]]), r"`features` must be finite.*Received: inf in row 0"),
        (lambda: normalize([["a"]]), r"`features` must hold real numbers. Received: dtype <U1"),
        (
            lambda: flip_average(features(0), features(0, 7)),
            r"Received: features of shape \(6, 8\), flipped of shape \(6, 7\)",
        ),
        (lambda: flip_average([[1.0]], [[np.nan]]), r"`flipped` must be finite.*nan in row 0"),
        (lambda: concatenate_features([]), r"at least one array. Received: \[\]"),
        (
            lambda: concatenate_features([features(0), features(0, 8, 5)]),
            r"Received: arrays of shapes \[\(6, 8\), \(5, 8\)\]",
        ),
        (lambda: concatenate_features([[[1.0]], [1.0]]), r"`features\[1\]` must be.*shape \(1,\)"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
