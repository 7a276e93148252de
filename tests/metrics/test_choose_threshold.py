import json
import sys

import numpy as np
import pytest
from people_vectors import pairs_by_loops, people

from keras_osnet.metrics import choose_threshold, evaluate_verification, verification_pairs

RATES = ("false_positive", "true_positive")


@pytest.mark.parametrize("rate", [0.3, 0.1, 0.02])
def test_the_lowest_similarity_of_a_rate(rate):
    vectors, ids, cameras = people()
    chosen = choose_threshold(vectors, None, ids, None, cameras, false_positive_rate=rate)
    same, different = pairs_by_loops(vectors, vectors, (ids, ids), (cameras, cameras), True)
    at = [np.mean(pairs >= chosen.similarity) for pairs in (different, same)]
    assert [chosen.false_positive_rate, chosen.true_positive_rate] == pytest.approx(at, abs=1e-12)
    assert at[0] <= rate < np.mean(different >= chosen.similarity - 2**-16)
    low, high = chosen.similarity_interval
    assert -1 <= low < chosen.similarity < high <= 1
    for name in RATES:
        low, high = getattr(chosen, f"{name}_interval")
        assert 0 <= low < getattr(chosen, f"{name}_rate") < high <= 1


def test_the_smallest_errors():
    vectors, ids, _ = people()
    chosen = choose_threshold(vectors, None, ids, false_positive_rate=None)
    result = evaluate_verification(vectors, None, ids)
    best = (result.true_positive_rates - result.false_positive_rates).max()
    assert chosen.true_positive_rate - chosen.false_positive_rate == pytest.approx(best)


def test_in_the_middle_between_people_who_are_well_apart():
    vectors, ids, _ = people(noise=0.01, dim=4)
    chosen = choose_threshold(vectors, None, ids, false_positive_rate=None)
    same, different = pairs_by_loops(vectors, vectors, (ids, ids), one_set=True)
    middle = (same.min() + different.max()) / 2
    assert chosen.similarity == pytest.approx(middle, abs=2**-15)
    assert chosen.true_positive_interval == (1, 1)
    assert chosen.false_positive_interval == (0, 0)


def test_people_who_are_unlike_themselves():
    """Similarity -1 of the same person, 0 of different people: best is to accept nobody."""
    vectors = np.concatenate([np.eye(6), -np.eye(6)])
    ids = np.tile(np.arange(6), 2)
    chosen = choose_threshold(vectors, None, ids, false_positive_rate=None)
    assert 0 < chosen.similarity <= 1
    assert (chosen.false_positive_rate, chosen.true_positive_rate) == (0, 0)


def test_the_bootstrap_against_plain_loops():
    """Draw people in loops, with the pairs of two drawn people as often as these were drawn."""
    vectors, ids, _ = people(8, 5)
    chosen = choose_threshold(vectors, None, ids, false_positive_rate=0.1, resamples=2000)
    similarities = 1 - np.array(
        [[np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) for b in vectors] for a in vectors]
    )
    similarities = 1 - similarities
    accepted = similarities >= chosen.similarity
    rng = np.random.default_rng(1)
    rates = []
    for _ in range(600):
        drawn = rng.integers(0, 8, 8)
        different = [
            accepted[np.ix_(ids == a, ids == b)].mean()
            for i, a in enumerate(drawn)
            for b in drawn[i + 1 :]
            if a != b
        ]
        inside = [accepted[np.ix_(ids == a, ids == a)][np.triu_indices(5, 1)].mean() for a in drawn]
        rates.append((np.mean(different), np.mean(inside)))
    for name, values in zip(RATES, np.transpose(rates), strict=True):
        expected = np.quantile(values, [0.025, 0.975])
        np.testing.assert_allclose(getattr(chosen, f"{name}_interval"), expected, atol=0.03)


def test_many_people_are_drawn_in_groups(monkeypatch):
    vectors, ids, _ = people(60, 4)
    one_by_one = choose_threshold(vectors, None, ids, false_positive_rate=0.05)
    monkeypatch.setattr(sys.modules[choose_threshold.__module__], "_MOST_GROUPS", 20)
    grouped = choose_threshold(vectors, None, ids, false_positive_rate=0.05)
    assert grouped.similarity == one_by_one.similarity
    for name in ("similarity", *RATES):
        wide, narrow = (
            np.diff(getattr(each, f"{name}_interval"))[0] for each in (grouped, one_by_one)
        )
        assert wide == pytest.approx(narrow, rel=0.5)


def test_parts_and_seeds(monkeypatch):
    vectors, ids, cameras = people()
    given = (vectors[::2], vectors[1::2], ids[::2], ids[1::2], cameras[::2], cameras[1::2])
    first = choose_threshold(*given, false_positive_rate=0.1)
    monkeypatch.setattr(verification_pairs, "_ENTRIES", 100)
    assert choose_threshold(*given, false_positive_rate=0.1).to_dict() == first.to_dict()
    other = choose_threshold(*given, false_positive_rate=0.1, seed=1)
    assert other.similarity == first.similarity
    assert other.to_dict() != first.to_dict()
    assert json.loads(json.dumps(first.to_dict()))["identities"] == 12


def test_a_wider_interval_for_more_confidence():
    vectors, ids, _ = people()
    widths = [
        np.diff(choose_threshold(vectors, None, ids, confidence=each).true_positive_interval)
        for each in (0.5, 0.95)
    ]
    assert widths[0] < widths[1]


def test_arguments():
    vectors, ids, _ = people(6, 3)
    with pytest.raises(ValueError, match=r"needs at least 10,000 pairs.*Received: 0.001, 135"):
        choose_threshold(vectors, None, ids, false_positive_rate=0.001)
    with pytest.raises(ValueError, match=r"needs at least 334 pairs.*Received: 0.03, 135"):
        choose_threshold(vectors, None, ids, false_positive_rate=0.03)
    with pytest.raises(ValueError, match=r"at least 5 people.*of 4 of 4"):
        choose_threshold(vectors[:12], None, ids[:12], false_positive_rate=0.5)
    with pytest.raises(ValueError, match=r"`confidence` must be between 0 and 1. Received: 1"):
        choose_threshold(vectors, None, ids, confidence=1)
    with pytest.raises(ValueError, match="`resamples` must be"):
        choose_threshold(vectors, None, ids, resamples=99)
    with pytest.raises(ValueError, match="`false_positive_rate` must be a number from 0 to 1"):
        choose_threshold(vectors, None, ids, false_positive_rate=2)
    with pytest.raises(ValueError, match=r"have the same embedding. Received: 0.1, 135"):
        choose_threshold(np.ones((18, 4)), None, ids, false_positive_rate=0.1)
