import dataclasses
import math
import statistics

import numpy as np
import pytest

from keras_osnet.metrics.ranking import RankingResult, average_results, evaluate_ranking

MEASURES = ("mean_average_precision", "mean_inverse_negative_penalty")


def results(count, max_rank=5):
    rng = np.random.default_rng(0)
    ids = np.arange(20) % 7
    return [
        evaluate_ranking(rng.random((20, 20)), ids, ids, max_rank=max_rank) for _ in range(count)
    ]


def test_equals_plain_loops():
    runs = results(10)
    averaged = average_results(runs)
    assert averaged.runs == 10
    for name in MEASURES:
        values = [getattr(run, name) for run in runs]
        assert getattr(averaged.mean, name) == pytest.approx(statistics.mean(values))
        assert getattr(averaged.std, name) == pytest.approx(statistics.stdev(values))
    for k in range(1, 6):
        values = [run.rank(k) for run in runs]
        assert averaged.mean.rank(k) == pytest.approx(statistics.mean(values))
        assert averaged.std.rank(k) == pytest.approx(statistics.stdev(values))
    assert averaged.mean.valid_queries == averaged.std.valid_queries == 200


def test_a_single_result_has_no_spread():
    (run,) = results(1)
    averaged = average_results([run])
    assert averaged.mean.cmc.tolist() == run.cmc.tolist()
    assert averaged.mean.mean_average_precision == run.mean_average_precision
    assert np.isnan(averaged.std.cmc).all()
    assert all(math.isnan(getattr(averaged.std, name)) for name in MEASURES)
    assert isinstance(averaged.std, RankingResult)


def test_result_is_read_only():
    averaged = average_results(results(2))
    for part in (averaged.mean, averaged.std):
        with pytest.raises(ValueError, match="read-only"):
            part.cmc[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        averaged.runs = 3


def test_errors():
    with pytest.raises(ValueError, match=r"at least one result. Received: none"):
        average_results([])
    with pytest.raises(ValueError, match=r"same length.*Received: lengths \[5, 4\]"):
        average_results([*results(1), *results(1, max_rank=4)])
