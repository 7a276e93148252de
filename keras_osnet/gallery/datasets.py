"""Parquet data sets of vectors, as bulk embedding and `Gallery.export` write them."""

import hashlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from keras_osnet._utils import optional
from keras_osnet._utils.checks import path_of
from keras_osnet.gallery.columns import arrow
from keras_osnet.gallery.errors import explained

if TYPE_CHECKING:
    import pyarrow as pa

EXPORTED = "keras_osnet.gallery"
"""Key in the metadata of exported files, whose rows have a gallery's keys already."""

_ROWS = 16_384
"""Rows that are read at a time."""

_SOURCES = ("path", "video")
"""Columns of which the first becomes `source`."""


def read_dataset(path: str | os.PathLike[str]) -> "Iterator[tuple[str, pa.Table]]":
    """Yield the rows of a data set, some thousand at a time, with the digest of their model.

    Raises:
        FileNotFoundError: There is no such file, or no `.parquet` file in the folder.
        ValueError: A column is missing.
        OSError: A file cannot be read.
    """
    parquet = optional.require("pyarrow.parquet", "The gallery", extra="gallery")
    folder, pa = path_of("path", path), arrow()
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else [folder]
    if not files or not all(file.is_file() for file in files):
        raise FileNotFoundError(f"There are no .parquet files to read. Received: {folder}")
    for file in files:
        with explained(str(file), "read"):
            content = parquet.ParquetFile(file)
            batches = content.iter_batches(batch_size=_ROWS)
        schema = content.schema_arrow
        if missing := {"key", "vector", "model"} - set(schema.names):
            raise ValueError(
                f"{file.name} must have the columns key, vector and model. "
                f"Received: {folder}, without {', '.join(sorted(missing))}"
            )
        exported = EXPORTED.encode() in (schema.metadata or {})
        while True:
            with explained(str(file), "read"):
                batch = next(batches, None)
            if batch is None:
                break
            for model, rows in _by_model(pa.Table.from_batches([batch])):
                yield model, rows if exported else _with_source(rows)


def with_constant(rows: "pa.Table", name: str, value: str | int) -> "pa.Table":
    """Return rows with the same value in a column, which may be there already."""
    values = arrow().repeat(value, len(rows))
    if name in rows.column_names:
        return rows.set_column(rows.column_names.index(name), name, values)
    return rows.append_column(name, values)


def _by_model(table: "pa.Table") -> "list[tuple[str, pa.Table]]":
    """Return a table's rows by model; there is one unless data sets were mixed."""
    pa = arrow()
    models = pa.compute.unique(table["model"]).to_pylist()
    if len(models) == 1:
        return [(models[0], table)]
    return [(each, table.filter(pa.compute.field("model") == each)) for each in models]


def _with_source(rows: "pa.Table") -> "pa.Table":
    """Return rows with the column `source`, and keys that no other data set has."""
    pa = arrow()
    if "source" not in rows.column_names:
        given = next((each for each in _SOURCES if each in rows.column_names), None)
        if given is None:
            rows = rows.append_column("source", rows["key"])
        else:
            rows = rows.rename_columns({given: "source"})
    names = zip(rows["key"].to_pylist(), rows["source"].to_pylist(), strict=True)
    keys = [
        hashlib.blake2b(f"{key}\0{source}".encode(), digest_size=16).hexdigest()
        for key, source in names
    ]
    return rows.set_column(rows.column_names.index("key"), "key", pa.array(keys))
