from fractions import Fraction

import numpy as np
import pytest

from keras_osnet.metrics import augment_gallery, distances, expand_queries


def unit(vector):
    return vector / max(np.linalg.norm(vector), 1e-12)


def expanded_by_loops(query, gallery, k, alpha, itself=True):
    rows = []
    for i, each in enumerate(query):
        own = unit(each)
        similar = [float(own @ unit(other)) for other in gallery]
        order = sorted(range(len(gallery)), key=lambda j: (-round(similar[j], 6), j))
        order = [j for j in order if itself or j != i][:k]
        total = own + sum(max(similar[j], 0) ** alpha * unit(gallery[j]) for j in order)
        rows.append(unit(total))
    return np.array(rows)


@pytest.mark.parametrize("alpha", [0, 1, 3])
@pytest.mark.parametrize("k", [1, 4, 99])
def test_against_plain_loops(k, alpha, monkeypatch):
    monkeypatch.setattr(distances, "_MAX_ROWS", 3)  # several blocks
    rng = np.random.default_rng(0)
    query, gallery = rng.normal(size=(7, 5)) + 0.5, 3 * rng.normal(size=(11, 5)) + 0.5
    gallery[4] = gallery[2]
    np.testing.assert_allclose(
        expand_queries(query, gallery, k, alpha=alpha),
        expanded_by_loops(query, gallery, k, alpha),
        atol=1e-6,
    )
    np.testing.assert_allclose(
        augment_gallery(gallery, k, alpha=alpha),
        expanded_by_loops(gallery, gallery, k, alpha, itself=False),
        atol=1e-6,
    )


def test_ties_and_zeros():
    gallery = [[1.0, 1.0], [1.0, 1.0], [1.0, -1.0]]
    np.testing.assert_allclose(
        expand_queries([[1, 0]], gallery, 3)[0], unit([3.1213, 0.7071]), 1e-3
    )
    np.testing.assert_array_equal(expand_queries([[0, 0]], [[0, 0]], 1), [[0, 0]])
    np.testing.assert_array_equal(augment_gallery([[0, 2]], 5), [[0, 1]])  # nothing beside itself


def test_exponents():
    rng = np.random.default_rng(0)
    query = rng.normal(size=(20, 5))
    halves = expand_queries(query, query, 3, alpha=Fraction(1, 2))
    np.testing.assert_array_equal(halves, expand_queries(query, query, 3, alpha=0.5))
    # Only the image itself counts then, whose similarity may be rounded to 1 + 1e-16.
    alone = expand_queries(query, query, 3, alpha=1e308)
    np.testing.assert_allclose(alone, query / np.linalg.norm(query, axis=1, keepdims=True), 1e-6)


def test_arguments():
    good = np.eye(3)
    for wrong in (0, -1, 1.5, None):
        with pytest.raises(ValueError, match="`k` must be a whole number of at least 1"):
            expand_queries(good, good, wrong)
    with pytest.raises(ValueError, match="`alpha` must be a number of at least 0"):
        augment_gallery(good, 1, alpha=-1)
    with pytest.raises(ValueError, match="same feature dimension"):
        expand_queries(good, np.eye(4), 1)
    with pytest.raises(ValueError, match="`gallery` must be finite"):
        augment_gallery([[np.nan, 1]], 1)
    with pytest.raises(ValueError, match="`gallery` must be a non-empty array"):
        augment_gallery(np.zeros((0, 3)), 1)
