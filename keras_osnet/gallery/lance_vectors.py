"""The vectors of a Lance data set in memory, for exact searches that follow each other.

Lance's own search reads and decodes all vectors for every query, which takes several times as long
as the products, even from the system's cache of files.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet.gallery.columns import vector_matrix

_KEPT = 1 << 31
"""Bytes of vectors that are kept, at most: a million rows of 512 numbers, float32."""

_SEVERAL = 10
"""Queries of one search for which reading the vectors into memory takes less time."""

_ROWS = 8192
"""Rows that are read at a time."""

_ID, _OFFSET = np.uint64(32), np.uint64(0xFFFFFFFF)
"""A row's address: above 32 bits the id of its fragment, below its offset there."""

Block = tuple[NDArray[np.uint64], NDArray[np.float32], NDArray[np.int64]]


class LanceVectors:
    """Keeps vectors in memory from the second search on, or if a search has several queries.

    They are kept by fragment, whose files never change; writers add other fragments. Which rows are
    there and meet the conditions is asked of the data set in every search.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], NDArray[np.float32]] = {}
        self._names: dict[int, tuple[str, ...]] = {}
        self._searched = False

    def blocks(self, data: Any, condition: Any, queries: int) -> Iterator[Block] | None:
        """Return the rows that meet a condition, in the order of the data set.

        Args:
            data: The data set, in one version.
            condition: An expression of pyarrow, or None.
            queries: Number of queries of the search.

        Returns:
            Blocks: addresses of rows (n,), the vectors of their fragment (any number, dim), and the
            indices of the rows in these (n,). None if Lance's own search is to be used: at
            the first search of few queries, for a small part of the rows, and beyond the limit.
        """
        searched, self._searched = self._searched, True
        if not searched and queries < _SEVERAL:
            return None
        fragments = {each.fragment_id: each for each in data.get_fragments()}
        self._names = names = {number: _name(each) for number, each in fragments.items()}
        self._kept = {name: kept for name, kept in self._kept.items() if name in names.values()}
        wanted = _addresses(data, condition)
        missing = [fragments[number] for number in wanted if names[number] not in self._kept]
        rows = sum(each.physical_rows for each in missing)
        # Lance reads the rows of a narrow condition alone; here whole fragments would be read.
        if rows > 4 * sum(len(wanted[each.fragment_id]) for each in missing):
            return None
        dim = data.schema.field("vector").type.list_size
        if 4 * rows * dim + sum(each.nbytes for each in self._kept.values()) > _KEPT:
            return None
        for number, vectors in _read(data, missing, dim).items():
            self._kept[names[number]] = vectors
        return (
            (some, self._kept[names[number]], (some & _OFFSET).astype(np.int64))
            for number, some in wanted.items()
        )

    def at(self, addresses: NDArray[np.uint64]) -> NDArray[np.float32]:
        """Return the vectors (n, dim) of rows that `blocks` yielded, by their addresses (n,)."""
        rows = zip((addresses >> _ID).tolist(), (addresses & _OFFSET).tolist(), strict=True)
        return np.stack([self._kept[self._names[number]][offset] for number, offset in rows])

    def clear(self) -> None:
        """Release the memory."""
        self._kept = {}


def _addresses(data: Any, condition: Any) -> dict[int, NDArray[np.uint64]]:
    """Return the addresses of the rows that meet a condition, by fragment."""
    table = data.scanner(columns=[], filter=condition, with_row_address=True).to_table()
    addresses = table["_rowaddr"].to_numpy()
    return {number: addresses[part] for number, part in _by_fragment(addresses)}


def _read(data: Any, fragments: list[Any], dim: int) -> dict[int, NDArray[np.float32]]:
    """Return the vectors of fragments by offset; those of deleted rows are zero."""
    vectors = {
        each.fragment_id: np.zeros((each.physical_rows, dim), np.float32) for each in fragments
    }
    if not fragments:
        return vectors
    scanner = data.scanner(
        columns=["vector"], with_row_address=True, fragments=fragments, batch_size=_ROWS
    )
    for batch in scanner.to_batches():
        addresses, some = batch["_rowaddr"].to_numpy(), vector_matrix(batch["vector"])
        for number, part in _by_fragment(addresses):
            vectors[number][addresses[part] & _OFFSET] = some[part]
    return vectors


def _by_fragment(addresses: NDArray[np.uint64]) -> Iterator[tuple[int, slice]]:
    """Yield the id of each fragment, and which of the addresses, in its order, are in it."""
    fragment = (addresses >> _ID).astype(np.int64)
    edges = [0, *(np.flatnonzero(np.diff(fragment)) + 1).tolist(), len(fragment)]
    for start, stop in itertools.pairwise(edges):
        if start < stop:
            yield int(fragment[start]), slice(start, stop)


def _name(fragment: Any) -> tuple[str, ...]:
    """Return what a fragment consists of: a column that is added is another file."""
    return str(fragment.fragment_id), *(file.path for file in fragment.data_files())
