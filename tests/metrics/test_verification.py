import math

import numpy as np
import pytest
from people_vectors import pairs_by_loops, people

from keras_osnet.metrics import evaluate_verification, verification_pairs


@pytest.mark.parametrize("with_cameras", [True, False])
@pytest.mark.parametrize("one_set", [True, False])
def test_against_plain_loops(one_set, with_cameras, monkeypatch):
    monkeypatch.setattr(verification_pairs, "_ENTRIES", 500)  # several parts
    vectors, ids, cameras = people()
    sides = [slice(None)] * 2 if one_set else [slice(0, None, 2), slice(1, None, 2)]
    query, gallery = (vectors[each] for each in sides)
    named = [np.array([f"person {each}" for each in ids[side]]) for side in sides]
    cams = [cameras[each] for each in sides] if with_cameras else [None, None]
    arguments = (
        (query, None, named[0], None, cams[0], None) if one_set else (query, gallery, *named, *cams)
    )
    result = evaluate_verification(*arguments)
    same, different = pairs_by_loops(query, gallery, named, cams if with_cameras else None, one_set)
    assert (result.genuine_pairs, result.impostor_pairs) == (len(same), len(different))
    counted = verification_pairs.checked_pairs(*arguments).count()
    assert counted == (len(same), len(different), 12, 12)
    assert result.identities == 12
    for threshold, *rates in zip(
        result.thresholds,
        result.false_positive_rates,
        result.true_positive_rates,
        strict=True,
    ):
        expected = [np.mean(different >= threshold), np.mean(same >= threshold)]
        np.testing.assert_allclose(rates, expected, rtol=1e-12)
        assert result.rates_at(min(max(threshold, -1), 1)) == tuple(rates)
    assert (np.diff(result.thresholds) < 0).all()
    assert rates == [1, 1]
    # Between two thresholds of the grid.
    between = result.thresholds[3] + 0.25 * 2**-16
    assert result.rates_at(between) == (
        result.false_positive_rates[2],
        result.true_positive_rates[2],
    )


def test_against_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    vectors, ids, _ = people()
    result = evaluate_verification(vectors, None, ids)
    same, different = pairs_by_loops(vectors, vectors, (ids, ids), one_set=True)
    labels = np.repeat([1, 0], [len(same), len(different)])
    false, true, _ = metrics.roc_curve(labels, np.concatenate([same, different]))
    for rate in (0.01, 0.1, 0.5):
        own = result.true_positive_rate_at(rate)
        assert own == pytest.approx(true[np.searchsorted(false, rate, "right") - 1], abs=1e-9)
    crossing = np.argmax(false >= 1 - true)
    assert false[crossing - 1] <= result.equal_error_rate <= false[crossing] + 1e-9


def test_equal_error_rate():
    """Similarities 1 and 0 of one person, 1, 0, 0 and 0 of different people."""
    query = [[1, 0]]
    gallery = [[1, 0], [0, 1], [1, 0], [0, 1], [0, 1], [0, 1]]
    result = evaluate_verification(query, gallery, [7], [7, 7, 1, 2, 3, 4])
    np.testing.assert_array_equal(result.false_positive_rates, [0, 0.25, 1])
    np.testing.assert_array_equal(result.true_positive_rates, [0, 0.5, 1])
    np.testing.assert_array_equal(result.thresholds, [1 + 2**-16, 1, 0])
    assert result.equal_error_rate == pytest.approx(0.4)  # on the line from (0.25, 0.5) to (1, 1)
    assert result.rates_at(1) == (0.25, 0.5)
    assert result.rates_at(0.5) == (0.25, 0.5)
    assert result.rates_at(-1) == (1, 1)


def test_above_all_pairs():
    vectors, ids, _ = people()
    result = evaluate_verification(vectors, None, ids)
    assert result.thresholds[0] < 0.99
    for threshold in (result.thresholds[0], np.nextafter(result.thresholds[0], 1), 0.99, 1):
        assert result.rates_at(threshold) == (0, 0)


@pytest.mark.parametrize("dim", [3, 64])
def test_equal_embeddings_are_at_the_threshold_of_1(dim):
    """In float64 their similarity is up to some 1e-15 below 1, depending on the numbers."""
    rng = np.random.default_rng(0)
    ids = np.arange(10).repeat(4)
    for _ in range(5):
        result = evaluate_verification(np.tile(rng.normal(size=dim), (40, 1)), None, ids)
        np.testing.assert_array_equal(result.thresholds, [1 + 2**-16, 1])
        assert result.rates_at(1) == (1, 1)


def test_people_who_are_well_apart():
    vectors, ids, _ = people(noise=0.01)
    result = evaluate_verification(vectors, None, ids)
    assert result.equal_error_rate == 0
    assert result.true_positive_rate_at(0.01) == 1


def test_too_few_pairs_to_tell():
    vectors, ids, _ = people(4, 2)
    result = evaluate_verification(vectors, None, ids)
    assert result.impostor_pairs == 24
    rates = result.to_dict([0.5, 0.01])
    assert rates["true_positive_rate_at_0.5"] > 0
    assert math.isnan(rates["true_positive_rate_at_0.01"])


def test_a_gallery_of_the_queries_has_each_image_with_itself():
    vectors, ids, _ = people(3, 2)
    result = evaluate_verification(vectors, vectors, ids, ids)
    assert result.genuine_pairs == 12
    assert evaluate_verification(vectors, None, ids).genuine_pairs == 3


def test_arguments():
    vectors, ids, cameras = people(3, 2)
    with pytest.raises(ValueError, match=r"different people. Received: 2 images of 1 identities"):
        evaluate_verification(vectors[:2], None, ids[:2])
    with pytest.raises(ValueError, match=r"of the same person. Received: 3 images of 3 identities"):
        evaluate_verification(vectors[::2], None, ids[::2])
    with pytest.raises(ValueError, match="the same person under different cameras"):
        evaluate_verification(vectors, None, ids, None, ids)
    with pytest.raises(ValueError, match="2 queries, 2 gallery images of 1 identities"):
        evaluate_verification(vectors[:2], vectors[:2], ids[:2], ids[:2])
    with pytest.raises(ValueError, match="`gallery_ids` must be left out"):
        evaluate_verification(vectors, None, ids, ids)
    with pytest.raises(ValueError, match="`gallery_cameras` must be left out"):
        evaluate_verification(vectors, None, ids, None, cameras, cameras)
    with pytest.raises(ValueError, match="`gallery_ids` must be given"):
        evaluate_verification(vectors, vectors, ids)
    with pytest.raises(ValueError, match="given together"):
        evaluate_verification(vectors, vectors, ids, ids, cameras)
    with pytest.raises(ValueError, match="`query_ids` must have shape"):
        evaluate_verification(vectors, None, ids[:3])
    with pytest.raises(ValueError, match="`query` must be a non-empty array"):
        evaluate_verification(np.zeros((0, 8)), None, [])
    with pytest.raises(ValueError, match=r"`query` must be finite.*row 1"):
        evaluate_verification([[1, 0], [math.nan, 1], [0, 1]], None, [1, 1, 2])
    with pytest.raises(TypeError, match="integers or strings"):
        evaluate_verification(vectors, None, ids + 0.5)
    result = evaluate_verification(vectors, None, ids)
    with pytest.raises(ValueError, match="`threshold` must be a number from -1 to 1"):
        result.rates_at(1.5)
    with pytest.raises(ValueError, match="`false_positive_rate` must be above 0"):
        result.true_positive_rate_at(0)
