"""The rows of a gallery that a search found."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.text import drawable
from keras_osnet.gallery.columns import vector_matrix
from keras_osnet.metrics import rerank_features

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = ("person", "camera", "site", "time", "source", "tracklet")
"""Columns that `str` shows, of those that hold anything."""


class SearchResult:
    """What a search found: for every query its most similar rows, in order.

    `result[0]` are the rows of the first query, a list of dicts with `similarity` and the gallery's
    columns; it is empty if nobody is near enough. Printing a result shows a table.

    Args:
        table: Columns of the gallery without vectors, `query` (its index) and `similarity`, in
            the order of queries, and for each of rank.
        queries: Number of queries.
    """

    def __init__(self, table: "pa.Table", queries: int) -> None:
        self._table, self._queries = table, queries
        self._rows: list[list[dict[str, Any]]] | None = None

    def __len__(self) -> int:
        return self._queries

    def __getitem__(self, query: int) -> list[dict[str, Any]]:
        return self.to_dicts()[query]

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        return iter(self.to_dicts())

    def to_arrow(self) -> "pa.Table":
        """Return one table: `query` (index), `similarity`, then the gallery's columns."""
        return self._table

    def to_dicts(self) -> list[list[dict[str, Any]]]:
        """Return a list of rows for every query."""
        if self._rows is None:
            self._rows = [[] for _ in range(self._queries)]
            for row in self._table.to_pylist():
                self._rows[row.pop("query")].append(row)
        return self._rows

    def table_rows(self) -> tuple[list[str], list[list[str]]]:
        """Return headings and texts of a table, without columns that hold nothing."""
        rows = [
            (query, rank, row) for query, rows in enumerate(self) for rank, row in _ranked(rows)
        ]
        shown = [name for name in _SHOWN if any(row[name] is not None for _, _, row in rows)]
        texts = [
            [
                str(query),
                str(rank),
                f"{row['similarity']:.3f}",
                *(as_text(row[each]) for each in shown),
            ]
            for query, rank, row in rows
        ]
        return ["query", "rank", "similarity", *shown], texts

    def __str__(self) -> str:
        headings, rows = self.table_rows()
        lines = [headings, *rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )
        empty = sum(1 for found in self if not found)
        return (
            text if not empty else f"{text}\nNobody is near enough: {empty} of {len(self)} queries."
        )

    __repr__ = __str__


def _ranked(rows: list[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    return enumerate(rows, 1)


def check_queries(queries: Sequence[Any], result: SearchResult) -> None:
    """Raise ValueError unless there is a query for each list of rows."""
    if len(queries) != len(result):
        raise ValueError(
            f"`queries` must be as many as the result has, {len(result)}. Received: {len(queries)}"
        )


def as_text(value: Any) -> str:
    """Return a value of a column as a person reads it."""
    if value is None:
        return ""
    if hasattr(value, "isoformat"):
        return value.isoformat(sep=" ", timespec="seconds")
    return drawable(str(value))


def ordered(
    found: "pa.Table",
    queries: NDArray[np.float32],
    limit: int,
    min_similarity: float | None,
    rerank: int | None,
) -> "pa.Table":
    """Return rows by query and rank, `query` and `similarity` first, without vectors."""
    index, similarity = found["query"].to_numpy(), found["similarity"].to_numpy()
    order = np.lexsort((-similarity, index))
    if rerank is not None:
        vectors = vector_matrix(found["vector"])
        parts = []
        for query in range(len(queries)):
            rows = order[index[order] == query]
            if len(rows) > 1:
                distances = rerank_features(queries[query : query + 1], vectors[rows])[0]
                rows = rows[np.argsort(distances, kind="stable")]
            parts.append(rows[:limit])
        order = np.concatenate(parts)
    if min_similarity is not None:
        order = order[similarity[order] >= min_similarity]
    names = [each for each in found.column_names if each not in ("query", "similarity", "vector")]
    return found.take(order).select(["query", "similarity", *names])
