"""Matrices of mostly zeros, held as the entries that are not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SparseRows:
    """The entries of a sparse matrix, row after row.

    It does the three things that re-ranking needs, so that SciPy need not be installed.

    Attributes:
        starts: Array (num_rows + 1,), int64: row i has the entries `starts[i]:starts[i + 1]`.
        columns: Array (num_entries,), int32: the column of each entry.
        values: Array (num_entries,), float32.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]

    @classmethod
    def from_entries(
        cls, entries: list[tuple[NDArray, NDArray, NDArray]], num_rows: int
    ) -> "SparseRows":
        """Build it from pieces (rows, columns, values) in which, end to end, rows only go up."""
        rows, columns, values = (np.concatenate(pieces) for pieces in zip(*entries, strict=True))
        starts = np.zeros(num_rows + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=num_rows), out=starts[1:])
        return cls(starts, columns.astype(np.int32), values.astype(np.float32))

    def take(self, rows: NDArray) -> tuple[NDArray[np.int64], NDArray, NDArray]:
        """Return the entries of some rows, one row after the other.

        Args:
            rows: Array (n,) of row numbers, in any order and as often as wanted.

        Returns:
            For each entry its place in `rows` (0 to n - 1), its column and its value.
        """
        first = self.starts[rows]
        lengths = self.starts[rows + 1] - first
        ends = np.cumsum(lengths)
        entries = np.arange(lengths.sum()) + np.repeat(first - ends + lengths, lengths)
        places = np.repeat(np.arange(len(rows)), lengths)
        return places, self.columns[entries], self.values[entries]

    def row(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the columns and values of one row."""
        entries = slice(self.starts[row], self.starts[row + 1])
        return self.columns[entries], self.values[entries]

    def transposed(self, first_row: int, num_columns: int) -> "SparseRows":
        """Return the matrix from `first_row` on with rows and columns exchanged."""
        num_rows = len(self.starts) - 1 - first_row
        columns = self.columns[self.starts[first_row] :]
        rows = np.repeat(np.arange(num_rows), np.diff(self.starts[first_row:]))
        order = np.argsort(columns, kind="stable")
        entries = columns[order], rows[order], self.values[self.starts[first_row] :][order]
        return SparseRows.from_entries([entries], num_columns)
