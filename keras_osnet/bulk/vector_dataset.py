"""Reading the Parquet data set that bulk embedding writes."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import path_of, positive_integer
from keras_osnet.bulk._arrow import arrow

if TYPE_CHECKING:
    import pyarrow as pa

PARTS = "part-*.parquet"

MODEL, MODEL_NAME = b"keras_osnet_model", b"keras_osnet_model_name"
"""Keys of the metadata of a part's schema."""

UNREADABLE = "_unreadable"
"""Subfolder of inputs that cannot be read; readers of Parquet pass over names with `_`."""


class VectorDataset:
    """A data set of vectors: a folder of Parquet files, one row for each crop.

    | column | type | content |
    | --- | --- | --- |
    | `key` | text | name of the crop, unique |
    | `vector` | list of `dim` float16 or float32 | of length 1 in the L2 norm |
    | `model` | text | SHA-256 digest of the model's file |
    | others | | the columns of the input |

    Inputs that could not be read are in `_unreadable/`, with `reason` in place of `vector`. Every
    reader of Parquet reads the folder: `pandas.read_parquet("vectors")`.

    Args:
        folder: The folder.

    Attributes:
        folder: The same.
        schema: Columns and types, a `pyarrow.Schema`.
        dim: Length of the vectors.
        model: Digest of the model.

    Raises:
        FileNotFoundError: There is no such folder, or no vectors in it.
        ValueError: A file is damaged or of another kind, or the vectors are of several models.
        ImportError: pyarrow is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        arrow()
        self.folder = path_of("folder", folder)
        self._parts = sorted(self.folder.glob(PARTS))
        if not self._parts:
            raise FileNotFoundError(
                "`folder` must hold the vectors of keras_osnet.bulk (part-*.parquet). "
                f"Received: {self.folder}"
            )
        parts = [read_part(part) for part in self._parts]
        self.schema, self.model = parts[0].schema, parts[0].model
        self.dim: int = self.schema.field("vector").type.list_size
        self._rows = sum(part.rows for part in parts)
        for file, part in zip(self._parts, parts, strict=True):
            if part.model != self.model or not part.schema.equals(self.schema):
                what = "columns" if part.model == self.model else "another model"
                raise ValueError(
                    f"The parts of a data set must be of one model and have the same columns: "
                    f"{file.name} is of {what}, unlike {self._parts[0].name}. "
                    f"Received: {self.folder}"
                )

    def __len__(self) -> int:
        return self._rows

    def batches(
        self, columns: Sequence[str] | None = None, *, rows: int = 4096
    ) -> Iterator["pa.RecordBatch"]:
        """Yield the rows as record batches, with memory for one row group of a part.

        Args:
            columns: Names of the columns; by default, all.
            rows: Most rows of a batch.

        Raises:
            ValueError: There is no such column, or a part is damaged.
        """
        positive_integer("rows", rows)
        names = list(self.schema.names if columns is None else columns)
        if unknown := {*names} - {*self.schema.names}:
            raise ValueError(
                f"`columns` must be of {', '.join(self.schema.names)}. Received: {min(unknown)!r}"
            )
        for part in self._parts:
            yield from read_batches(part, names, rows)

    def vectors(self) -> NDArray[np.float32]:
        """Return all vectors at once, (n, dim), in the order of `batches`."""
        vectors = np.empty((len(self), self.dim), np.float32)
        done = 0
        for batch in self.batches(["vector"]):
            vectors[done : done + batch.num_rows] = to_numpy(batch.column("vector"))
            done += batch.num_rows
        return vectors

    def unreadable(self) -> Iterator["pa.RecordBatch"]:
        """Yield the inputs that could not be read: `key`, `reason`, `model` and their columns."""
        for part in sorted((self.folder / UNREADABLE).glob(PARTS)):
            yield from read_batches(part, None, 4096)


def to_numpy(vectors: Any) -> NDArray[Any]:
    """Return a column `vector` of a record batch as an array (n, dim), without a copy."""
    flat = vectors.flatten().to_numpy(zero_copy_only=False)
    array: NDArray[Any] = flat.reshape(len(vectors), vectors.type.list_size)
    return array


class Part(NamedTuple):
    """Facts of a file of a data set: its rows, columns and model."""

    rows: int
    schema: "pa.Schema"
    model: str
    model_name: str


def read_part(file: Path) -> Part:
    """Read the facts of a part.

    Raises:
        ValueError: The file is damaged, or was not written by bulk embedding.
    """
    pa = arrow()
    try:
        with arrow("parquet").ParquetFile(file) as opened:
            schema, rows = opened.schema_arrow, opened.metadata.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(file, error) from error
    metadata = schema.metadata or {}
    if MODEL not in metadata:
        raise ValueError(f"keras_osnet.bulk has not written this file. Received: {file}")
    name = metadata.get(MODEL_NAME, b"").decode()
    return Part(rows, schema.remove_metadata(), metadata[MODEL].decode(), name)


def read_batches(
    file: Path, columns: Sequence[str] | None, rows: int
) -> Iterator["pa.RecordBatch"]:
    """Yield the rows of a part.

    Raises:
        ValueError: The file is damaged.
    """
    pa = arrow()
    try:
        with arrow("parquet").ParquetFile(file) as opened:
            yield from opened.iter_batches(rows, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(file, error) from error


def _damaged(file: Path, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())
    return ValueError(f"A part of the data set is damaged: {reason}. Received: {file}")
