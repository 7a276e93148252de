"""A gallery in a Lance data set: a folder, or a prefix of an object store."""

import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils import optional
from keras_osnet.gallery.columns import arrow, fit
from keras_osnet.gallery.errors import GalleryError, explained
from keras_osnet.gallery.filters import Filter
from keras_osnet.gallery.lance_search import search_exactly, search_in_index
from keras_osnet.gallery.lance_vectors import LanceVectors

if TYPE_CHECKING:
    import pyarrow as pa

_T = TypeVar("_T")

_PATIENCE = timedelta(minutes=10)
"""Longest time of a write, with all its attempts."""

_QUERIES = 256
"""Queries that are searched for in one pass over the vectors."""

_RETRIES = 30
"""Attempts of a write while others write, too."""

_NOT_FOUND = re.compile("not found", re.IGNORECASE)

_PER_PARTITION = 50_000
"""Vectors in one partition of the index, about."""


class LanceStore:
    """Rows in a Lance data set.

    `schema` looks up the latest version, to which the calls that follow apply. They look again if
    another process has written meanwhile and it matters. Calls from several threads wait for each
    other.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._lance: Any = optional.require("lance", "The gallery", extra="gallery")
        self._data: Any = None
        self._vectors = LanceVectors()
        # Lance raises "Already borrowed" if one thread looks up a version while another reads.
        self._lock = threading.RLock()

    def schema(self) -> "pa.Schema | None":
        """Return the columns; None before the first row is added."""
        with self._lock:
            data = self._latest()
            return None if data is None else data.schema

    def create(self, schema: "pa.Schema") -> None:
        """Create the gallery, unless another process just has."""
        with self._lock:
            try:
                with explained(self.uri, "created"):
                    self._data = self._lance.write_dataset(
                        schema.empty_table(), self.uri, mode="create", enable_v2_manifest_paths=True
                    )
            except GalleryError:
                if self._latest() is None:
                    raise

    def append(self, table: "pa.Table") -> int:
        """Add the rows whose keys are not there yet, all or none; return their number."""

        def append(data: Any) -> int:
            merge = data.merge_insert("key").when_not_matched_insert_all()
            merge = merge.conflict_retries(_RETRIES).retry_timeout(_PATIENCE)
            return merge.execute(rows)["num_inserted_rows"]

        with self._lock:
            self._grow(table.schema)
            rows = fit(table, self._existing().schema)
            return self._repeat("added to", append)

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
        pa = arrow()
        condition = _expression(where)

        def find(data: Any) -> Any:
            parts = []
            for start in range(0, len(queries), _QUERIES):
                some = queries[start : start + _QUERIES]
                if exact:
                    part = search_exactly(data, self._vectors, some, limit, condition, columns)
                else:
                    part = search_in_index(data, some, limit, condition, columns)
                index = pa.array(part["query"].to_numpy() + start)
                column = part.column_names.index("query")
                parts.append(part.set_column(column, "query", index))
            return pa.concat_tables(parts)

        return self._repeat("searched", find)

    def batches(self, columns: Sequence[str], where: Filter) -> "Iterator[pa.RecordBatch]":
        """Yield rows in the order of the store."""
        with self._lock:
            data = self._existing()
            version = data.version
            with explained(self.uri, "read"):
                scanner = data.scanner(columns=list(columns), filter=_expression(where))
        try:
            with explained(self.uri, "read"):
                yield from scanner.to_batches()
        except GalleryError as error:
            with self._lock:
                changed = self._existing(latest=True).version != version
            if changed:
                raise GalleryError(
                    f"The gallery was changed while it was read; repeat it. Received: {self.uri}"
                ) from error
            self._raise_damaged(error)
            raise

    def count(self, where: Filter) -> int:
        """Return the number of rows."""
        return self._repeat("counted", lambda data: data.count_rows(filter=_expression(where)))

    def delete(self, where: Filter) -> int:
        """Delete rows and return their number."""

        def delete(data: Any) -> int:
            condition = _expression(where)
            result = data.delete(condition, conflict_retries=_RETRIES, retry_timeout=_PATIENCE)
            return result["num_deleted_rows"]

        return self._repeat("deleted from", delete)

    def compact(self, *, alone: bool) -> None:
        """Merge small files, and remove the content of deleted rows and of old versions."""

        def compact(data: Any) -> None:
            # By default, Lance leaves up to a tenth of a fragment deleted: still on the disk.
            data.optimize.compact_files(materialize_deletions_threshold=0.0)
            if data.describe_indices():
                _index(data)  # from the start: an update could keep what rows left in it
            # A version of its own: that of a deletion records the condition, with people's names.
            data.update_metadata({"keras_osnet:compacted": f"{time.time():.6f}"})
            data.cleanup_old_versions(older_than=timedelta(0), delete_unverified=alone)

        self._repeat("compacted", compact)

    def build_index(self) -> None:
        """Index the vectors for approximate search, in place of an index that is there."""
        self._repeat("indexed", _index)

    def indexed(self) -> int | None:
        """Return the number of rows in the index for approximate search; None without one."""
        with self._lock:
            data = self._existing()
            with explained(self.uri, "read"):
                indexes = data.describe_indices()
            return sum(each.num_rows_indexed for each in indexes) if indexes else None

    def facts(self) -> dict[str, Any]:
        """Return `version` and `bytes`, None where not known."""
        with self._lock:
            version, size = self._existing().version, None
        if _is_local(self.uri):
            size = sum(each.stat().st_size for each in Path(self.uri).rglob("*") if each.is_file())
        return {"version": version, "bytes": size}

    def close(self) -> None:
        """Release what is open."""
        with self._lock:
            self._data = None
            self._vectors.clear()

    def _latest(self) -> Any:
        """Return the data set in its latest version; None if there is none. The lock is held."""
        if self._data is None and _is_local(self.uri) and not _is_data_set(Path(self.uri)):
            return None
        for attempt in range(_RETRIES):
            try:
                with explained(self.uri, "opened"):
                    if self._data is None:
                        self._data = self._lance.dataset(self.uri)
                    self._data.checkout_latest()
                break
            except GalleryError as error:
                removed = ".manifest" in str(error)  # by a compaction, between listing and reading
                if removed and attempt < _RETRIES - 1:
                    time.sleep(random.uniform(0, 0.1))
                    continue
                if not removed and not _is_local(self.uri) and _NOT_FOUND.search(str(error)):
                    return None
                raise
        return self._data

    def _existing(self, *, latest: bool = False) -> Any:
        """Return the data set, in the version that was looked up last or in the latest.

        Raises:
            FileNotFoundError: There is none.
        """
        data = self._latest() if latest or self._data is None else self._data
        if data is None:
            raise FileNotFoundError(
                f"There is no gallery yet; the first vectors that are added create it. "
                f"Received: {self.uri}"
            )
        return data

    def _repeat(self, doing: str, do: Callable[[Any], _T]) -> _T:
        """Read or write.

        Again, in the latest version, if another process has written meanwhile: one of two writes
        that exclude each other fails, and a compaction removes the files of earlier versions.
        """
        with self._lock:
            attempt = 0
            while True:
                data = self._existing()
                version = data.version
                try:
                    with explained(self.uri, doing):
                        return do(data)
                except GalleryError as error:
                    attempt += 1
                    changed = self._existing(latest=True).version != version
                    if attempt == _RETRIES or not (changed or "conflict" in str(error.__cause__)):
                        self._raise_damaged(error)
                        raise
                    time.sleep(random.uniform(0, 0.1))

    def _grow(self, schema: "pa.Schema") -> None:
        """Add the columns of a schema that are missing; they are null in earlier rows."""
        pa = arrow()

        def grow(data: Any) -> None:
            new = [each for each in schema if each.name not in data.schema.names]
            if new:
                data.add_columns(pa.schema([each.with_nullable(True) for each in new]))

        self._repeat("given columns", grow)

    def _raise_damaged(self, error: GalleryError) -> None:
        """Raise a GalleryError that names files if there are any that cannot be read."""
        if files := self._damaged():
            raise GalleryError(
                f"The gallery is damaged: {', '.join(files)} cannot be read; restore it from a "
                f"copy. Received: {self.uri}"
            ) from error

    def _damaged(self) -> list[str]:
        """Return the files of the fragments that cannot be read."""
        files = []
        for fragment in [] if self._data is None else self._data.get_fragments():
            try:
                for _ in fragment.to_batches():
                    pass
            except Exception:
                files += [f"data/{file.path}" for file in fragment.data_files()]
        return files


def _index(data: Any) -> None:
    """Index the vectors by graphs (HNSW) of vectors of 8 bits, one for each partition."""
    data.create_index(
        "vector",
        "IVF_HNSW_SQ",
        name="vector",
        metric="cosine",
        replace=True,
        num_partitions=max(1, data.count_rows() // _PER_PARTITION),
    )


def _is_local(uri: str) -> bool:
    return "://" not in uri


def _is_data_set(folder: Path) -> bool:
    """Return whether a folder is a data set; raise GalleryError if it holds other files."""
    if (folder / "_versions").is_dir():
        return True
    if folder.is_dir() and not any(folder.iterdir()):
        return False
    if folder.exists():
        raise GalleryError(f"This is not a gallery, and none is created there. Received: {folder}")
    return False


def _expression(where: Filter) -> Any:
    """Return the conditions as an expression of pyarrow: no value becomes part of any text."""
    pa = arrow()
    field = pa.compute.field
    parts = [
        field(name).isin(list(values))
        for name in ("key", "person", "camera", "site")
        if (values := getattr(where, name)) is not None
    ]
    if where.not_camera is not None:
        camera = field("camera")
        parts.append(camera.is_null() | ~camera.isin(list(where.not_camera)))
    if where.unnamed:
        parts.append(field("person").is_null())
    zone = pa.timestamp("us", "UTC")
    if where.after is not None:
        parts.append(field("time") >= pa.scalar(where.after, zone))
    if where.before is not None:
        parts.append(field("time") < pa.scalar(where.before, zone))
    whole = None
    for part in parts:
        whole = part if whole is None else whole & part
    return whole
