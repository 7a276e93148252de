"""What a gallery asks of the store that keeps its rows."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from keras_osnet.gallery.filters import Filter

if TYPE_CHECKING:
    import pyarrow as pa


class Store(Protocol):
    """Rows with vectors; all errors of the library behind are `GalleryError` or `DiskFullError`.

    Of the other methods, all but `create` and `close` are called after `schema` returned columns.
    """

    def schema(self) -> "pa.Schema | None":
        """Return the columns; None before the first row is added."""

    def create(self, schema: "pa.Schema") -> None:
        """Create the gallery, unless another process just has."""

    def append(self, table: "pa.Table") -> int:
        """Add the rows whose keys are not there yet; return their number.

        All or none, where the library behind can.
        """

    def nearest(
        self,
        queries: NDArray[np.float32],
        limit: int,
        where: Filter,
        columns: Sequence[str],
        *,
        exact: bool,
    ) -> "pa.Table":
        """Return the most similar rows: columns, `query` (index) and `similarity`, unordered."""

    def batches(self, columns: Sequence[str], where: Filter) -> "Iterator[pa.RecordBatch]":
        """Yield rows in the order of the store."""

    def count(self, where: Filter) -> int:
        """Return the number of rows."""

    def delete(self, where: Filter) -> int:
        """Delete rows and return their number."""

    def compact(self, *, alone: bool) -> None:
        """Merge small files, and remove the content of deleted rows and of old versions."""

    def build_index(self) -> None:
        """Index the vectors for approximate search."""

    def indexed(self) -> int | None:
        """Return the number of rows in the index for approximate search; None without one."""

    def facts(self) -> dict[str, Any]:
        """Return `version` and `bytes`, None where not known."""

    def close(self) -> None:
        """Release what is open."""
