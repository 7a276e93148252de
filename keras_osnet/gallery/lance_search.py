"""The rows of a Lance data set that are most similar to queries."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet.gallery.columns import arrow, vector_matrix
from keras_osnet.gallery.lance_vectors import LanceVectors
from keras_osnet.gallery.nearest_rows import NearestRows, first_of_each

if TYPE_CHECKING:
    import pyarrow as pa

_MORE = 16
"""Rows that are found for each query beyond those asked for, as they are found in the order of
products in lower precision."""

_APPROXIMATE = {"nprobes": 16, "refine_factor": 4}
"""Of an approximate search: partitions that are searched at most, and candidates for each row
wanted whose similarity is computed from their vectors."""


def search_exactly(
    data: Any,
    vectors: LanceVectors,
    queries: NDArray[np.float32],
    limit: int,
    condition: Any,
    columns: Sequence[str],
) -> "pa.Table":
    """Compare all rows that meet a condition.

    Args:
        data: The data set, in one version.
        vectors: Its vectors in memory.
        queries: Array (queries, dim), float32, rows of length 1.
        limit: Number of rows for each query.
        condition: An expression of pyarrow, or None.
        columns: Columns of the result.

    Returns:
        Columns, `query` (index) and `similarity`: by query, and for each by falling similarity; of
        equal ones the first in the data set is the first.
    """
    blocks = vectors.blocks(data, condition, len(queries))
    if blocks is None:
        exact = {"use_index": False, "k": limit + _MORE}
        table = _found_by_lance(data, queries, exact, condition, [], with_row_address=True)
        query = table["query_index"].to_numpy().astype(np.int64)
        address = table["_rowaddr"].to_numpy()
        read = np.unique(address)
        units = vector_matrix(_rows_at(data, read, ["vector"])["vector"])
        similarity = _cosines(
            queries, query, address, lambda some: units[np.searchsorted(read, some)]
        )
    else:
        nearest = NearestRows(queries, limit + _MORE)
        for block in blocks:
            nearest.add(*block)
        query, address = nearest.result()
        similarity = _cosines(queries, query, address, vectors.at)
    order = np.lexsort((address, -similarity, query))
    order = first_of_each(query[order], order, limit)
    addresses, index = np.unique(address[order], return_inverse=True)
    rows = _rows_at(data, addresses, columns).take(index)
    return _result(rows, query[order], similarity[order])


def search_in_index(
    data: Any, queries: NDArray[np.float32], limit: int, condition: Any, columns: Sequence[str]
) -> "pa.Table":
    """Compare rows that an index finds; arguments and result are `search_exactly`'s."""
    found = _found_by_lance(data, queries, {"k": limit, **_APPROXIMATE}, condition, columns)
    query = found["query_index"].to_numpy().astype(np.int64)
    similarity = 1 - found["_distance"].to_numpy().astype(np.float32)
    order = np.lexsort((-similarity, query))
    return _result(found.select(list(columns)).take(order), query[order], similarity[order])


def _cosines(
    queries: NDArray[np.float32],
    query: NDArray[np.int64],
    address: NDArray[np.uint64],
    vectors_at: Callable[[NDArray[np.uint64]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Return the similarities of rows (n,) to their queries (n,), in double precision.

    Each row is summed for itself: equal vectors have equal similarities.
    """
    similarity = np.empty(len(query), np.float32)
    for each in np.unique(query):
        found = query == each
        units = vectors_at(address[found]).astype(np.float64)
        lengths = np.sqrt((units * units).sum(axis=1))  # 1 up to the rounding to float16
        similarity[found] = (units * queries[each]).sum(axis=1) / lengths
    return similarity


def _found_by_lance(
    data: Any,
    queries: NDArray[np.float32],
    how: dict[str, Any],
    condition: Any,
    columns: Sequence[str],
    *,
    with_row_address: bool = False,
) -> "pa.Table":
    nearest = {"column": "vector", "q": queries.astype(np.float16), "metric": "cosine", **how}
    return data.to_table(
        columns=[*columns, "_distance"],
        nearest=nearest,
        filter=condition,
        prefilter=True,
        with_row_address=with_row_address,
    )


def _result(
    rows: "pa.Table", query: NDArray[np.int64], similarity: NDArray[np.float32]
) -> "pa.Table":
    pa = arrow()
    rows = rows.append_column("query", pa.array(query))
    return rows.append_column("similarity", pa.array(similarity))


def _rows_at(data: Any, addresses: NDArray[np.uint64], columns: Sequence[str]) -> "pa.Table":
    """Return rows in the order of their addresses, which rise."""
    pa = arrow()
    if not len(addresses):
        return pa.schema([data.schema.field(name) for name in columns]).empty_table()
    listed = ", ".join(map(str, addresses.tolist()))
    rows = data.to_table(
        columns=list(columns), filter=f"_rowaddr IN ({listed})", with_row_address=True
    )
    return rows.take(np.argsort(rows["_rowaddr"].to_numpy())).drop_columns(["_rowaddr"])
