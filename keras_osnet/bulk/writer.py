"""Writing a data set of vectors in whole parts, by one process for each shard."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import filelock
import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.files import atomic_path
from keras_osnet.bulk._arrow import arrow
from keras_osnet.bulk.selection import hash_keys
from keras_osnet.bulk.vector_dataset import (
    MODEL,
    MODEL_NAME,
    PARTS,
    UNREADABLE,
    Part,
    read_batches,
    read_part,
)

if TYPE_CHECKING:
    import pyarrow as pa

_PART = re.compile(r"part-(\d+)-of-(\d+)-(\d+)\.parquet")
_LOCK = re.compile(r"\.lock-(\d+)-of-(\d+)")


class Model(NamedTuple):
    """The model whose vectors are written.

    Attributes:
        digest: SHA-256 digest of its file.
        name: Its name, for people.
        dim: Length of its vectors.
    """

    digest: str
    name: str
    dim: int


class VectorWriter:
    """Write rows to parts of a data set, each of them whole or not at all.

    Args:
        folder: The folder, which exists.
        model: The model.
        dtype: "float16" or "float32".
        columns: Schema of the input's columns.
        shard: Shard and number of shards.
        rows_per_part: Rows that are held until they are written.
    """

    def __init__(
        self,
        folder: Path,
        model: Model,
        dtype: str,
        columns: "pa.Schema",
        shard: tuple[int, int],
        rows_per_part: int,
    ) -> None:
        pa = arrow()
        self.folder, self.model, self.rows_per_part = folder, model, rows_per_part
        self._shard = shard
        key, digest = pa.field("key", pa.string()), pa.field("model", pa.string())
        number = pa.float16() if dtype == "float16" else pa.float32()
        vector = pa.field("vector", pa.list_(number, model.dim))
        self._dtype = np.dtype(dtype)
        self._schema = pa.schema([key, vector, digest, *columns])
        self._unreadable_schema = pa.schema(
            [key, pa.field("reason", pa.string()), digest, *columns]
        )
        self._held: list[Any] = []
        self._held_unreadable: list[Any] = []
        self.rows = 0

    def check_folder(self, resume: bool) -> None:
        """Raise ValueError if the folder holds vectors that these must not be added to."""
        parts = self._parts()
        strange = [file for file in parts if _PART.fullmatch(file.name) is None]
        if strange:
            raise ValueError(
                f"The folder holds parts that keras_osnet.bulk has not named: {strange[0].name}. "
                f"Received: {self.folder}"
            )
        for file in parts:
            self._check_part(file, read_part(file))
        own = [file for file in parts if not self._is_of_another_shard(file)]
        if own and not resume:
            raise ValueError(
                f"The folder holds vectors already ({own[0].name}); `resume=True` embeds only "
                f"what is missing. Received: {self.folder}"
            )

    def done(self) -> NDArray[np.uint64]:
        """Return the sorted hashes of the keys in the folder, whatever shard wrote them."""
        hashes = [
            hash_keys(batch.column("key").to_pylist())
            for file in self._parts()
            for batch in read_batches(file, ["key"], 1 << 14)
        ]
        return np.sort(np.concatenate(hashes)) if hashes else np.empty(0, np.uint64)

    def add(
        self,
        keys: Sequence[str],
        vectors: NDArray[np.float32],
        unreadable: dict[int, str],
        columns: "pa.RecordBatch",
    ) -> None:
        """Hold the rows of a chunk, and write a part when there are enough.

        Args:
            keys: Of all n crops of the chunk.
            vectors: Of the readable ones, (n - unreadable, dim).
            unreadable: Reasons of the others by index.
            columns: Of all n crops.
        """
        pa = arrow()
        bad = np.array(sorted(unreadable), np.int64)
        good = np.setdiff1d(np.arange(len(keys)), bad)
        names = pa.array(keys, pa.string())
        if len(good):
            flat = pa.array(vectors.astype(self._dtype).reshape(-1))
            own = [flat_lists(flat, self._schema.field("vector").type)]
            self._held.append(self._batch(names, own, columns, good, self._schema))
        if len(bad):
            own = [pa.array([unreadable[row] for row in bad.tolist()], pa.string())]
            self._held_unreadable.append(
                self._batch(names, own, columns, bad, self._unreadable_schema)
            )
        self.rows += len(keys)
        if self.rows >= self.rows_per_part:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are held.

        Raises:
            OSError: They cannot be written; if the disk is full, the message says so.
        """
        self._write(self._held_unreadable, self._unreadable_schema, self.folder / UNREADABLE)
        self._held_unreadable = []
        self._write(self._held, self._schema, self.folder)
        self._held = []
        self.rows = 0

    def _batch(
        self, names: Any, own: list[Any], columns: Any, rows: NDArray[np.int64], schema: Any
    ) -> Any:
        pa = arrow()
        if len(rows) < len(names):
            indices = pa.array(rows)
            names, columns = names.take(indices), columns.take(indices)
        digests = pa.array([self.model.digest] * len(rows), pa.string())
        return pa.record_batch([names, *own, digests, *columns.columns], schema=schema)

    def _write(self, held: list[Any], schema: Any, folder: Path) -> None:
        if not held:
            return
        folder.mkdir(exist_ok=True)
        metadata = {MODEL: self.model.digest, MODEL_NAME: self.model.name}
        table = arrow().Table.from_batches(held).replace_schema_metadata(metadata)
        # Vectors do not get smaller.
        compression = dict.fromkeys(_leaves(schema), "zstd")
        texts = [name for name in compression if not name.startswith("vector.")]
        compression |= {name: "none" for name in compression if name.startswith("vector.")}
        with atomic_path(folder / self._next_name(folder)) as temporary:
            arrow("parquet").write_table(
                table, temporary, compression=compression, use_dictionary=texts
            )

    def _next_name(self, folder: Path) -> str:
        shard, shards = self._shard
        matches = [_PART.fullmatch(file.name) for file in folder.glob(PARTS)]
        numbers = [
            int(match[3])
            for match in matches
            if match is not None and (int(match[1]), int(match[2])) == self._shard
        ]
        return f"part-{shard}-of-{shards}-{max(numbers, default=-1) + 1:06}.parquet"

    def _parts(self) -> list[Path]:
        return [*self.folder.glob(PARTS), *(self.folder / UNREADABLE).glob(PARTS)]

    def _is_of_another_shard(self, file: Path) -> bool:
        match = _PART.fullmatch(file.name)
        assert match is not None
        return int(match[2]) == self._shard[1] and int(match[1]) != self._shard[0]

    def _check_part(self, file: Path, part: Part) -> None:
        if part.model != self.model.digest:
            raise ValueError(
                f"The folder holds vectors of another model: {part.model_name} "
                f"({part.model[:12]}…), not {self.model.name} ({self.model.digest[:12]}…); they "
                f"cannot be compared. Received: {self.folder}"
            )
        wanted = self._unreadable_schema if file.parent != self.folder else self._schema
        if part.schema.equals(wanted):
            return
        for field in wanted:
            index = part.schema.get_field_index(field.name)
            there: Any = None if index < 0 else part.schema.field(index).type
            if there is None or not there.equals(field.type):
                raise ValueError(
                    f"The folder holds vectors with other columns: `{field.name}` is {field.type} "
                    f"now and was {there or 'missing'}. Received: {self.folder}"
                )
        gone = [name for name in part.schema.names if name not in wanted.names]
        raise ValueError(
            f"The folder holds vectors with other columns: {', '.join(gone) or 'in another order'}"
            f" {'are missing now' if gone else ''}. Received: {self.folder}"
        )


def flat_lists(values: Any, kind: Any) -> Any:
    """Return an array of lists of one length from all their values."""
    return arrow().FixedSizeListArray.from_arrays(values, type=kind)


def _leaves(schema: Any) -> Iterator[str]:
    """Yield the columns of a schema as Parquet names them."""
    for field in schema:
        yield f"{field.name}.list.element" if field.name == "vector" else field.name


@contextmanager
def locked(folder: Path, shard: tuple[int, int]) -> Iterator[None]:
    """Lock a shard of a folder against other processes, and other divisions against this one.

    Raises:
        BlockingIOError: Another process writes this shard, or shards of another number.
    """
    lock = filelock.FileLock(folder / ".lock-{}-of-{}".format(*shard))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise BlockingIOError(
            f"Another process is writing shard {shard[0]} of {shard[1]} to this folder. "
            f"Received: {folder}"
        ) from error
    with lock:
        for file in folder.glob(".lock-*"):
            match = _LOCK.fullmatch(file.name)
            if match is None or int(match[2]) == shard[1]:
                continue
            other = filelock.FileLock(file)
            try:
                other.acquire(timeout=0)
            except filelock.Timeout as error:
                raise BlockingIOError(
                    f"Another process is writing one of {match[2]} shards to this folder, which "
                    f"are not those of {shard[1]}. Received: {folder}"
                ) from error
            other.release()
        yield
