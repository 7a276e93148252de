"""Exact search: the rows most similar to queries, of any number that come in blocks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_PRODUCTS = 1 << 20
"""Similarities that are computed at a time."""


class NearestRows:
    """The rows most similar to queries, of blocks of rows.

    Args:
        queries: Array (queries, dim), float32, rows of length 1.
        limit: Number of rows for each query.
    """

    def __init__(self, queries: NDArray[np.float32], limit: int) -> None:
        self._queries, self._limit = queries, limit
        self._step = max(_PRODUCTS // len(queries), 1)
        self._ids: list[NDArray[np.uint64]] = []
        self._count = 0
        self._lowest = np.full(len(queries), -np.inf, np.float32)
        none = np.empty(0, np.int64)
        self._found = [(none, none, np.empty(0, np.float32))]

    def add(
        self, ids: NDArray[np.uint64], vectors: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> None:
        """Compare a block of rows with all queries.

        Args:
            ids: The number of each row in its store (n,).
            vectors: Vectors of length 1 (any number, dim), of these and other rows.
            rows: Indices of these rows in them (n,), rising.
        """
        for start in range(0, len(ids), self._step):
            similarity = _products(self._queries, vectors, rows[start : start + self._step])
            self._compare(similarity, self._count + start)
        self._ids.append(ids)
        self._count += len(ids)

    def result(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Return query (index) and id of the rows found.

        By query, and for each by falling similarity; of equal ones the first added is the first.
        """
        self._merge()
        query, row, _ = self._found[0]
        ids = np.concatenate(self._ids) if self._ids else np.empty(0, np.uint64)
        return query, ids[row]

    def _compare(self, similarity: NDArray[np.float32], first: int) -> None:
        """Find the rows that may be among the most similar: similarities (queries, rows)."""
        lowest = self._lowest
        if np.isinf(lowest[0]) and similarity.shape[1] > self._limit:
            lowest = np.partition(similarity, -self._limit, axis=1)[:, -self._limit]
            query, row = np.nonzero(similarity >= lowest[:, None])
        else:
            query, row = np.nonzero(similarity > lowest[:, None])
        if len(query):
            self._found.append((query, row + first, similarity[query, row]))
        if sum(len(each[0]) for each in self._found) >= 2 * self._limit * len(self._queries):
            self._merge()

    def _merge(self) -> None:
        """Keep the most similar of the rows found so far."""
        if len(self._found) == 1:
            return
        columns: Any = zip(*self._found, strict=True)
        query, row, similarity = (np.concatenate(column) for column in columns)
        order = np.lexsort((row, -similarity, query))
        order = first_of_each(query[order], order, self._limit)
        query, row, similarity = query[order], row[order], similarity[order]
        self._found = [(query, row, similarity)]
        ends = np.searchsorted(query, np.arange(len(self._queries)), side="right")
        full = np.bincount(query, minlength=len(self._queries)) == self._limit
        self._lowest[full] = similarity[ends[full] - 1]


def first_of_each(
    query: NDArray[np.int64], values: NDArray[np.int64], limit: int
) -> NDArray[np.int64]:
    """Return the first values of each query, at most `limit`: arrays (n,), `query` rising."""
    return values[np.arange(len(query)) - np.searchsorted(query, query) < limit]


def _products(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the products of queries and rows: (queries, rows)."""
    span = vectors[rows[0] : rows[-1] + 1]
    if len(span) == len(rows):
        return queries @ span.T
    if len(span) < 2 * len(rows):  # multiplying takes less time than copying vectors
        return (queries @ span.T)[:, rows - rows[0]]
    return queries @ vectors[rows].T
