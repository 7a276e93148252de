"""A gallery of people's embeddings, searched by similarity."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from keras_osnet import __version__
from keras_osnet._utils.checks import boolean, check_whole, number, path_of
from keras_osnet._utils.files import atomic_path
from keras_osnet.gallery.cluster import MOST, cluster_vectors
from keras_osnet.gallery.columns import arrow, gallery_table, unit_vectors, vector_matrix
from keras_osnet.gallery.datasets import EXPORTED, read_dataset, with_constant
from keras_osnet.gallery.errors import GalleryError
from keras_osnet.gallery.filters import Filter, Names
from keras_osnet.gallery.gallery_info import GalleryInfo, describe
from keras_osnet.gallery.search_result import SearchResult, ordered
from keras_osnet.gallery.store import Store
from keras_osnet.gallery.times import utc

if TYPE_CHECKING:
    import pyarrow as pa

_MEASURED, _NEAREST = 100, 50
"""Of the recall of an index: queries, and neighbors of each."""


class Gallery:
    """People's embeddings with cameras and times, kept on disk or on an object store.

    Open one with `Gallery.open`. Several processes may read and write it at the same time; a call
    that has returned is kept even if the process is killed right after. Calls from several threads
    wait for each other. In a folder or on an object store, exact searches after the first keep
    the vectors in memory, at most 2 GB, until `close`.

    All rows of a gallery are of one model, which its digest names; vectors are kept as float16 of
    length 1. Its columns are `key`, `vector`, `model`, `person`, `camera`, `site`, `source`,
    `tracklet` (text), `time` (UTC) and `box` (left, top, right, bottom); all but the first three
    may be empty. Other columns are kept as they are added.

    Args:
        store: Where the rows are.
        uri: Its address, for errors.
    """

    def __init__(self, store: Store, uri: str) -> None:
        self._store, self.uri = store, uri

    @classmethod
    def open(cls, uri: str | os.PathLike[str]) -> "Gallery":
        """Open a gallery, or one that the first vectors added will create.

        Args:
            uri: A folder, such as "people.lance"; or an address of an object store:
                "s3://bucket/people.lance" (or gs://, az://), with credentials from the environment
                variables of its own tools; or of Milvus: "http://host:19530/people" (or https://),
                with a token from `MILVUS_TOKEN`, whose last part names the collection.

        Raises:
            ImportError: The extra `gallery`, or `milvus`, is not installed.
            ValueError: It is no such path or address.
        """
        place = os.fspath(path_of("uri", uri)) if not isinstance(uri, str) else uri
        scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", place)
        if not place or (scheme and scheme[1] not in ("s3", "gs", "az", "http", "https")):
            raise ValueError(
                "`uri` must be a folder or begin with s3://, gs://, az://, http:// or https://. "
                f"Received: {place!r}"
            )
        if scheme and scheme[1].startswith("http"):
            from keras_osnet.gallery.milvus_store import MilvusStore

            return cls(MilvusStore(place), place)
        from keras_osnet.gallery.lance_store import LanceStore

        return cls(LanceStore(place), place)

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Gallery.open({self.uri!r})"

    def close(self) -> None:
        """Release what is open. What was added is kept already."""
        self._store.close()

    @property
    def model(self) -> str | None:
        """Digest of the model of all vectors; None before the first are added."""
        schema = self._store.schema()
        return None if schema is None else _model_of(schema, self.uri)

    def add(
        self,
        vectors: ArrayLike,
        columns: "Mapping[str, Any] | pa.Table | Sequence[Mapping[str, Any]] | None" = None,
        *,
        model: str,
    ) -> int:
        """Add vectors, all or none; to Milvus in parts of 1,000, some of which an error may leave.

        Args:
            vectors: Array (n, dim) of any real dtype; it is scaled to length 1.
            columns: Their columns: a dict of lists (a single value is for all rows), a table of
                pyarrow or a list of dicts. Of the gallery's own (see `Gallery`), text may be given
                as whole numbers, and `time` as datetimes or ISO 8601 text, both with a time zone.
                `key` is another text for every row: one that is there already is not added
                again. Without keys, a digest of the row is its key.
            model: Digest of the model that computed them, such as the SHA-256 of its file.

        Returns:
            The number of rows added.

        Raises:
            ValueError: The vectors are of another model or length than those of the gallery, or
                vectors or columns are not as above.
            keras_osnet.gallery.GalleryError: The gallery is damaged or cannot be reached.
            OSError: It cannot be written; what it had stays.
        """
        if not isinstance(model, str) or not model.strip():
            raise ValueError(f"`model` must be the digest of a model. Received: {model!r}")
        table = gallery_table(vectors, columns, model)
        schema = self._store.schema()
        if schema is None:
            self._store.create(table.schema)
            schema = self._store.schema()
            if schema is None:
                raise GalleryError(f"The gallery could not be created. Received: {self.uri}")
        self._check_model(schema, model, table.schema.field("vector").type.list_size)
        return self._store.append(table)

    def add_dataset(
        self,
        path: str | os.PathLike[str],
        *,
        columns: Mapping[str, str | int] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Add the vectors of a data set: Parquet with the columns `key`, `vector` and `model`.

        `export` writes one. After an interruption, the same call adds the rows that are missing.

        Args:
            path: A `.parquet` file or a folder of them, as `keras_osnet.bulk.embed_to_parquet` and
                `export` write; sub-folders are not read. Its column `path`, or `video`, becomes
                `source`, and a row's key a digest of its key and source, as folders may have files
                of the same name.
            columns: Values that all rows have, such as `{"camera": 3}`.
            progress: Called with the number of rows done so far.

        Returns:
            The number of rows added.

        Raises:
            ValueError: A column is missing, or as for `add`.
            OSError: A file cannot be read, or as for `add`.
        """
        added, done = 0, 0
        for model, rows in read_dataset(path):
            vectors = vector_matrix(rows["vector"])
            rows = rows.drop_columns(["vector", "model"])
            for name, value in (columns or {}).items():
                rows = with_constant(rows, name, value)
            added += self.add(vectors, rows, model=model)
            done += len(rows)
            if progress is not None:
                progress(done)
        return added

    def search(
        self,
        vectors: ArrayLike,
        limit: int = 10,
        *,
        model: str | None = None,
        person: Names = None,
        camera: Names = None,
        not_camera: Names = None,
        site: Names = None,
        after: str | datetime | None = None,
        before: str | datetime | None = None,
        min_similarity: float | None = None,
        exact: bool = True,
        rerank: int | None = None,
    ) -> SearchResult:
        """Find the rows that are most similar to vectors.

        Conditions are applied before the search, so that `limit` rows are found wherever there are
        as many that meet them.

        Args:
            vectors: Queries, array (n, dim) or (dim,) of any real dtype.
            limit: Number of rows for each query.
            model: Digest of the model that computed them; it must be the gallery's.
            person: Only rows with this name, or with one of these.
            camera: Only rows of this camera, or of these.
            not_camera: No rows of this camera, or of these, such as the query's own. Rows whose
                camera is not known are searched.
            site: Only rows of this site, or of these.
            after: Only rows not earlier than this: a datetime or ISO 8601 text with a time zone.
            before: Only rows earlier than this.
            min_similarity: Lowest cosine similarity: if nobody is near enough, a query's list is
                empty. Choose it by your own images.
            exact: Whether to compare all vectors. False uses the index of `build_index`, which is
                faster in large galleries and misses some rows.
            rerank: Number of most similar rows, at least `limit`, to re-rank by k-reciprocal
                encoding. Rows are then not in the order of their similarity.

        Returns:
            A `keras_osnet.gallery.search_result.SearchResult`: for each query its rows by falling
            cosine similarity.

        Raises:
            FileNotFoundError: There is no gallery yet.
            ValueError: The vectors are of another model or length, there is no index, or an
                argument is not as above.
            keras_osnet.gallery.GalleryError: The gallery is damaged or cannot be reached.
        """
        check_whole(1, limit=limit)
        boolean("exact", exact)
        if rerank is not None:
            check_whole(limit, rerank=rerank)
        if min_similarity is not None:
            number("min_similarity", min_similarity, -1, 1)
        where = Filter.of(
            person=person,
            camera=camera,
            not_camera=not_camera,
            site=site,
            after=after,
            before=before,
        )
        queries = unit_vectors(vectors)
        schema = self._existing_schema()
        self._check_model(schema, model, queries.shape[1])
        if not exact and self._store.indexed() is None:
            raise ValueError(
                "`exact` must be True: the gallery has no index; `build_index` makes one. "
                "Received: False"
            )
        columns = [name for name in schema.names if name not in ("vector", "model")]
        found = self._store.nearest(
            queries,
            rerank or limit,
            where,
            columns if rerank is None else [*columns, "vector"],
            exact=exact,
        )
        return SearchResult(ordered(found, queries, limit, min_similarity, rerank), len(queries))

    def count(
        self,
        *,
        person: Names = None,
        camera: Names = None,
        site: Names = None,
        after: str | datetime | None = None,
        before: str | datetime | None = None,
    ) -> int:
        """Return the number of rows that meet conditions; arguments and errors are `search`'s."""
        self._existing_schema()
        where = Filter.of(person=person, camera=camera, site=site, after=after, before=before)
        return self._store.count(where)

    def delete(
        self,
        *,
        older_than: str | datetime | timedelta | None = None,
        person: Names = None,
        key: Names = None,
    ) -> int:
        """Delete rows: after a time of retention, of a person, or of single crops.

        They are not found from now on. Their content is on the disk until `compact` removes it.

        Args:
            older_than: Rows earlier than this: a datetime or ISO 8601 text with a time zone; or
                a timedelta, an age. Rows whose time is not known stay.
            person: Rows with this name, or with one of these.
            key: Rows with this key, or with one of these, as `search` returns them.

        Returns:
            The number of rows deleted: those that meet all conditions given.

        Raises:
            FileNotFoundError: There is no gallery yet.
            ValueError: No condition was given, or one is not as above.
            OSError: The gallery cannot be written.
        """
        before = None
        if isinstance(older_than, timedelta):
            if older_than < timedelta(0):
                raise ValueError(f"`older_than` must not be negative. Received: {older_than!r}")
            before = datetime.now(UTC) - older_than
        elif older_than is not None:
            before = utc(older_than, "older_than")
        where = Filter.of(before=before, person=person, key=key)
        if where == Filter():
            raise ValueError("Give `older_than`, `person` or `key`. Received: none of them")
        self._existing_schema()
        return self._store.delete(where)

    def compact(self, *, alone: bool = False) -> None:
        """Remove the content of deleted rows from the disk, and merge small files.

        An index is built again, so that it forgets them, too.

        Other processes may read and write meanwhile; a search that was started before may have to
        be repeated.

        Args:
            alone: Whether no other process is writing. Then files are removed, too, that are
                part of no version: those of writers that were killed, or had to repeat a write
                because another was faster. They may hold what was deleted, and otherwise stay for
                seven days, as they could be of a writer that is at work.

        Raises:
            FileNotFoundError: There is no gallery yet.
            OSError: The gallery cannot be written.
        """
        self._existing_schema()
        self._store.compact(alone=boolean("alone", alone))

    def build_index(self) -> float:
        """Index the vectors for `search(exact=False)`, and measure its recall.

        The index holds the vectors in 8 bits as well. Rows added later are searched exactly until
        `compact` builds it again.

        Returns:
            The recall: share of the 50 most similar rows of 100 vectors of the gallery that the
            index finds.

        Raises:
            FileNotFoundError: There is no gallery yet.
            ValueError: The gallery has fewer than 256 vectors.
            OSError: The gallery cannot be written.
        """
        self._existing_schema()
        if (rows := self._store.count(Filter())) < 256:
            raise ValueError(f"An index needs at least 256 vectors. Received: {rows} in {self.uri}")
        self._store.build_index()
        vectors = next(iter(self._batches(["vector"])))["vector"]
        queries = vector_matrix(vectors)[:: max(1, len(vectors) // _MEASURED)][:_MEASURED]
        keys = [
            [{row["key"] for row in rows} for rows in self.search(queries, _NEAREST, exact=exact)]
            for exact in (True, False)
        ]
        return float(np.mean([len(a & b) / len(a) for a, b in zip(*keys, strict=True)]))

    def cluster(
        self,
        *,
        max_distance: float = 0.5,
        min_crops: int = 4,
        camera: Names = None,
        site: Names = None,
        after: str | datetime | None = None,
        before: str | datetime | None = None,
    ) -> list[list[dict[str, Any]]]:
        """Group rows without a name into people.

        By DBSCAN on the Jaccard distances of k-reciprocal neighbors. The same person under two
        cameras often is two groups; rows that are near nobody are in none.

        Args:
            max_distance: Largest distance of neighbors in a group, from 0 to 1.
            min_crops: Smallest number of rows in a group.
            camera: As for `search`, as are the others.
            site: As for `search`.
            after: As for `search`.
            before: As for `search`.

        Returns:
            The groups, the largest first: lists of rows, dicts as in the result of `search`.

        Raises:
            FileNotFoundError: There is no gallery yet.
            ValueError: There are more than 10,000 rows, which are too many to compare all with all,
                or an argument is not as above.
            ImportError: scikit-learn is not installed.
        """
        number("max_distance", max_distance, 0, 1)
        check_whole(2, min_crops=min_crops)
        where = Filter.of(camera=camera, site=site, after=after, before=before)
        where = replace(where, unnamed=True)
        schema, pa = self._existing_schema(), arrow()
        if (rows := self._store.count(where)) > MOST:
            raise ValueError(
                f"At most {MOST:,} rows can be clustered; choose some by `camera`, `site`, `after` "
                f"and `before`. Received: {rows:,} rows without a name in {self.uri}"
            )
        if not rows:
            return []
        names = [name for name in schema.names if name != "model"]
        table = pa.Table.from_batches(list(self._store.batches(names, where)))
        table = table.sort_by("key")  # the order of the store changes when it is compacted
        found = cluster_vectors(
            unit_vectors(vector_matrix(table["vector"])), max_distance, min_crops
        )
        dicts = table.drop_columns(["vector"]).to_pylist()
        groups: list[list[dict[str, Any]]] = [[] for _ in range(found.max() + 1)]
        for row, group in zip(dicts, found, strict=True):
            if group >= 0:
                groups[group].append(row)
        return sorted(groups, key=len, reverse=True)

    def info(self) -> GalleryInfo:
        """Return facts about the gallery.

        Raises:
            FileNotFoundError: There is no gallery yet.
            keras_osnet.gallery.GalleryError: The gallery is damaged or cannot be reached.
        """
        schema = self._existing_schema()
        return describe(self._store, schema, _model_of(schema, self.uri), self.uri)

    def read(self, columns: Sequence[str] | None = None) -> "pa.Table":
        """Return all rows as a table of pyarrow, or some of their columns.

        Raises:
            FileNotFoundError: There is no gallery yet.
            ValueError: There is no such column.
        """
        pa = arrow()
        schema = self._existing_schema()
        names = list(schema.names if columns is None else columns)
        for name in names:
            if name not in schema.names:
                raise ValueError(
                    f"`columns` must be of {', '.join(schema.names)}. Received: {name!r}"
                )
        chosen = pa.schema([schema.field(name) for name in names])
        return pa.Table.from_batches(list(self._batches(names)), chosen.remove_metadata())

    def export(self, path: str | os.PathLike[str]) -> int:
        """Write all rows to a `.parquet` file, which `add_dataset` and other software read.

        Args:
            path: The file; it is replaced atomically.

        Returns:
            The number of rows.

        Raises:
            FileNotFoundError: There is no gallery yet, or the folder of the file does not exist.
            ValueError: The file has another suffix.
            OSError: The file cannot be written.
        """
        import pyarrow.parquet as parquet

        target, pa = path_of("path", path), arrow()
        if target.suffix.lower() != ".parquet":
            raise ValueError(f"`path` must end in .parquet. Received: {target}")
        schema, rows = self._existing_schema(), 0
        fields = [field.remove_metadata() for field in schema]
        columns = pa.schema(fields, metadata={EXPORTED: __version__})
        with (
            atomic_path(target) as temporary,
            parquet.ParquetWriter(temporary, columns) as writer,
        ):
            for batch in self._batches(schema.names):
                writer.write_table(pa.Table.from_batches([batch]).cast(columns))
                rows += len(batch)
        return rows

    def _batches(self, columns: Sequence[str]) -> Any:
        return self._store.batches(columns, Filter())

    def _existing_schema(self) -> "pa.Schema":
        schema = self._store.schema()
        if schema is None:
            raise FileNotFoundError(
                "There is no gallery yet; the first vectors that are added create it. "
                f"Received: {self.uri}"
            )
        return schema

    def _check_model(self, schema: "pa.Schema", model: str | None, dim: int) -> None:
        """Raise ValueError if vectors are of another model or length than the gallery's."""
        own = _model_of(schema, self.uri)
        if model is not None and model != own:
            raise ValueError(
                "`model` must be that of the gallery: vectors of different models cannot be "
                f"compared. Received: {model}; the gallery {self.uri} has {own}"
            )
        if dim != (length := schema.field("vector").type.list_size):
            raise ValueError(
                f"`vectors` must have {length} numbers each, as those in {self.uri}. "
                f"Received: {dim}"
            )


def _model_of(schema: "pa.Schema", uri: str) -> str:
    model = (schema.metadata or {}).get(b"keras_osnet:model")
    if model is None:
        raise GalleryError(f"This data set was not written by keras_osnet.gallery. Received: {uri}")
    return model.decode()
