"""Exact search in memory, beside sorting all similarities."""

import numpy as np
import pytest
from gallery_rows import some_vectors

from keras_osnet.gallery import nearest_rows
from keras_osnet.gallery.nearest_rows import NearestRows


@pytest.mark.parametrize("products", [1, 50, 1 << 20])
@pytest.mark.parametrize("share", [1.0, 0.7, 0.1])
def test_blocks_of_which_some_rows_are_searched(monkeypatch, products, share):
    monkeypatch.setattr(nearest_rows, "_PRODUCTS", products)
    rng = np.random.default_rng(0)
    queries, vectors = some_vectors(5, seed=1), some_vectors(300)
    vectors[200:] = vectors[:100]  # equal ones: the first is the first
    ids = np.flatnonzero(rng.random(300) < share).astype(np.uint64)
    nearest = NearestRows(queries, 7)
    for start, stop in ((0, 40), (40, 41), (41, 300)):
        some = ids[(ids >= start) & (ids < stop)]
        nearest.add(some, vectors[start:stop], some.astype(np.int64) - start)
    query, found = nearest.result()
    assert query.tolist() == np.repeat(np.arange(5), 7).tolist()
    similarity = queries.astype(np.float64) @ vectors[ids.astype(int)].T
    for each in range(5):
        best = np.sort(similarity[each])[::-1][:7]
        reached = queries[each] @ vectors[found[query == each].astype(int)].T
        np.testing.assert_allclose(reached, best, rtol=1e-5)
        assert len(set(found[query == each])) == 7


def test_fewer_rows_than_asked_for():
    nearest = NearestRows(np.eye(2, 3, dtype=np.float32), 4)
    nearest.add(np.array([9, 8], np.uint64), np.eye(3, dtype=np.float32), np.array([0, 1]))
    query, found = nearest.result()
    assert (query.tolist(), found.tolist()) == ([0, 0, 1, 1], [9, 8, 8, 9])
    assert NearestRows(np.eye(2, 3, dtype=np.float32), 4).result()[1].tolist() == []
