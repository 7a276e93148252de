"""A gallery in a collection of Milvus."""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils import optional
from keras_osnet.gallery.columns import arrow, fit
from keras_osnet.gallery.errors import GalleryError, explained
from keras_osnet.gallery.filters import Filter
from keras_osnet.gallery.milvus_rows import (
    OTHERS,
    TEXTS,
    check_types,
    expression,
    fields_of,
    from_milvus,
    schema_from_text,
    schema_to_text,
    to_milvus,
)

if TYPE_CHECKING:
    import pyarrow as pa

_SECONDS, _SECONDS_TO_CONNECT = 60.0, 10.0
"""Longest time of a call."""

_MOST = 16_384
"""Rows that Milvus finds for a query, at most."""

_PART = 1000
"""Rows that are sent or received in one call."""

_COLUMNS = "keras_osnet_columns"
"""Property of a collection: the gallery's columns and model."""

_ADDRESS = re.compile(r"(https?://[^/@?#]+)/?(?:([A-Za-z_][A-Za-z0-9_]*)/?)?")

_LONGEST = 65_535
"""Bytes of a text, at most."""


class MilvusStore:
    """Rows in a collection of Milvus, which are compared exactly (index FLAT).

    Args:
        uri: "http://host:19530/collection", or https; without a collection it is `people`. The
            environment variable `MILVUS_TOKEN` may hold "user:password" or a key.
    """

    def __init__(self, uri: str) -> None:
        match = _ADDRESS.fullmatch(uri)
        if match is None:
            raise ValueError(
                "`uri` of Milvus must be http://HOST:PORT/COLLECTION, without a password, which "
                "the environment variable MILVUS_TOKEN gives. "
                f"Received: {re.sub('//.*@', '//…@', uri)}"
            )
        self.uri, self._server, self._name = uri, match[1], match[2] or "people"
        self._milvus: Any = optional.require("pymilvus", "A gallery in Milvus", extra="milvus")
        # It prints errors with tracebacks that it raises as well.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
        self._connection: Any = None
        self._schema: Any = None

    def schema(self) -> "pa.Schema | None":
        """Return the columns; None before the first row is added."""
        with explained(self.uri, "opened"):
            if not self._client.has_collection(self._name, timeout=_SECONDS):
                return None
            found = self._client.describe_collection(self._name, timeout=_SECONDS)
        recorded = found.get("properties", {}).get(_COLUMNS)
        if recorded is None:
            raise GalleryError(
                f"This collection was not written by keras_osnet.gallery. Received: {self.uri}"
            )
        self._schema = schema_from_text(recorded)
        return self._schema

    def create(self, schema: "pa.Schema") -> None:
        """Create the gallery, unless another process just has."""
        check_types(schema)
        try:
            with explained(self.uri, "created"):
                self._create(schema)
        except GalleryError:
            if self.schema() is None:
                raise

    def append(self, table: "pa.Table") -> int:
        """Add the rows whose keys are not there yet; return their number.

        In several calls of Milvus if there are many: after an error, some may be there.
        """
        check_types(table.schema)
        self._grow(table.schema)
        rows, added = to_milvus(fit(table, self._schema)), 0
        with explained(self.uri, "added to"):
            for start in range(0, len(rows), _PART):
                part = rows[start : start + _PART]
                there = self._client.query(
                    self._name,
                    ids=[row["key"] for row in part],
                    output_fields=["key"],
                    timeout=_SECONDS,
                )
                known = {row["key"] for row in there}
                if new := [row for row in part if row["key"] not in known]:
                    # Not an insertion, by which a key that another process adds could be twice.
                    self._client.upsert(self._name, new, timeout=_SECONDS)
                added += len(new)
        return added

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
        del exact  # is always so
        if limit > _MOST:
            raise ValueError(
                f"`limit` must be at most {_MOST:,} in Milvus. Received: {limit:,} in {self.uri}"
            )
        pa, together = arrow(), max(1, _PART // limit)
        hits: list[tuple[int, Any]] = []
        with explained(self.uri, "searched"):
            for start in range(0, len(queries), together):
                found = self._client.search(
                    self._name,
                    data=[each.tolist() for each in queries[start : start + together]],
                    anns_field="vector",
                    filter=expression(where),
                    limit=limit,
                    output_fields=fields_of(["key", *columns]),
                    search_params={"metric_type": "COSINE"},
                    consistency_level="Strong",
                    timeout=_SECONDS,
                )
                hits += [(start + number, hit) for number, each in enumerate(found) for hit in each]
        hits.sort(key=lambda hit: (hit[0], -hit[1]["distance"], hit[1]["entity"]["key"]))
        table = self._table([hit["entity"] for _, hit in hits], columns)
        table = table.append_column("query", pa.array([query for query, _ in hits], pa.int64()))
        similarity = [hit["distance"] for _, hit in hits]
        return table.append_column("similarity", pa.array(similarity, pa.float32()))

    def batches(self, columns: Sequence[str], where: Filter) -> "Iterator[pa.RecordBatch]":
        """Yield rows in the order of the store."""
        with explained(self.uri, "read"):
            pages = self._client.query_iterator(
                self._name,
                batch_size=_PART,
                filter=expression(where),
                output_fields=fields_of(columns),
                consistency_level="Strong",
                timeout=_SECONDS,
            )
            try:
                while rows := pages.next():
                    yield from self._table(rows, columns).to_batches()
            finally:
                pages.close()

    def count(self, where: Filter) -> int:
        """Return the number of rows."""
        with explained(self.uri, "counted"):
            found = self._client.query(
                self._name,
                filter=expression(where),
                output_fields=["count(*)"],
                consistency_level="Strong",
                timeout=_SECONDS,
            )
        return int(found[0]["count(*)"])

    def delete(self, where: Filter) -> int:
        """Delete rows and return their number."""
        rows = self.count(where)
        with explained(self.uri, "deleted from"):
            self._client.delete(self._name, filter=expression(where), timeout=_SECONDS)
        return rows

    def compact(self, *, alone: bool) -> None:
        """Ask Milvus to merge its files. It removes earlier ones by its own settings."""
        del alone
        with explained(self.uri, "compacted"):
            self._client.flush(self._name, timeout=_SECONDS)
            self._client.compact(self._name, timeout=_SECONDS)

    def build_index(self) -> None:
        """Raise ValueError: a collection is searched exactly."""
        raise ValueError(
            f"A gallery in Milvus is searched exactly and has no other index. Received: {self.uri}"
        )

    def indexed(self) -> int | None:
        """Return None: there is no index for approximate search."""
        return None

    def facts(self) -> dict[str, Any]:
        """Return `version` and `bytes`, neither of which Milvus tells."""
        return {"version": None, "bytes": None}

    def close(self) -> None:
        """Release what is open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _client(self) -> Any:
        if self._connection is None:
            self._connection = self._milvus.MilvusClient(
                self._server,
                token=os.environ.get("MILVUS_TOKEN", ""),
                timeout=_SECONDS_TO_CONNECT,
            )
        return self._connection

    def _create(self, schema: "pa.Schema") -> None:
        kinds = self._milvus.DataType
        made = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        made.add_field("key", kinds.VARCHAR, is_primary=True, max_length=_LONGEST)
        dim = schema.field("vector").type.list_size
        made.add_field("vector", kinds.FLOAT_VECTOR, dim=dim)
        for name in TEXTS:
            made.add_field(name, kinds.VARCHAR, max_length=_LONGEST, nullable=True)
        made.add_field("time", kinds.INT64, nullable=True)
        box = {"element_type": kinds.FLOAT, "max_capacity": 4}
        made.add_field("box", kinds.ARRAY, nullable=True, **box)
        made.add_field(OTHERS, kinds.JSON, nullable=True)
        index = self._client.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="COSINE")
        self._client.create_collection(
            self._name,
            schema=made,
            index_params=index,
            properties={_COLUMNS: schema_to_text(schema)},
            consistency_level="Strong",
            timeout=_SECONDS,
        )

    def _grow(self, schema: "pa.Schema") -> None:
        """Record the columns of a schema that are missing; they are null in earlier rows."""
        new = [each for each in schema if each.name not in self._schema.names]
        if not new:
            return
        for each in new:
            self._schema = self._schema.append(each.with_nullable(True))
        with explained(self.uri, "given columns"):
            self._client.alter_collection_properties(
                self._name, {_COLUMNS: schema_to_text(self._schema)}, timeout=_SECONDS
            )

    def _table(self, rows: Sequence[Any], columns: Sequence[str]) -> "pa.Table":
        model = self._schema.metadata[b"keras_osnet:model"].decode()
        return from_milvus(rows, columns, self._schema, model)
