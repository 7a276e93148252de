"""Inputs of image files: a folder, or a list with any columns."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet.bulk._arrow import arrow
from keras_osnet.bulk.columns import box_column, box_columns, boxes_of, convert, output_schema
from keras_osnet.bulk.crops import CHUNK, Chunk
from keras_osnet.bulk.selection import Selection, as_text, hash_keys
from keras_osnet.bulk.table import Table
from keras_osnet.data.list_images import image_names

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 4096


class FolderSource:
    """All images in a folder and its subfolders, as `keras_osnet.data.list_images` finds them.

    A key is the path from the folder on. The column is `path`, absolute.

    Args:
        folder: The folder.

    Raises:
        OSError: It cannot be read.
        ValueError: There are no images in it.
    """

    def __init__(self, folder: Path) -> None:
        self.schema = arrow().schema([("path", arrow().string())])
        self._folder = folder.absolute()
        self._names = image_names(folder)

    def chunks(self, selection: Selection) -> Iterator[Chunk]:
        """Yield the selected crops, sorted by path."""
        pa = arrow()
        for start in range(0, len(self._names), _ROWS):
            names = self._names[start : start + _ROWS]
            keys = [as_text(name) for name in names]
            rows = np.flatnonzero(selection.mask(keys))
            files = [self._folder / names[row] for row in rows]
            paths = pa.array([as_text(str(file)) for file in files], pa.string())
            columns = pa.record_batch([paths], schema=self.schema)
            yield from _divided(
                [keys[row] for row in rows],
                files,
                None,
                columns,
                (start / len(self._names), (start + len(names)) / len(self._names)),
            )


class ListSource:
    """The images in a list, with all its columns.

    The column `path` is needed, from the folder of the list on or absolute. Where there are the
    columns `left`, `top`, `right`, `bottom` (or `width`, `height`), in pixels of the image, the
    part in this box is cut out; a column `box` is kept as it is. A key is the path as in the list,
    with the box; or the column `key`.

    Args:
        file: A table as for `keras_osnet.bulk.table.Table`.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no such list, a path is missing, or two crops have the same key.
    """

    def __init__(self, file: Path) -> None:
        self._table = Table(file, ("path", "key"))
        names = self._table.schema.names
        if "path" not in names:
            raise ValueError(
                f"The list needs a column `path`. Received: {', '.join(names)} in {file}"
            )
        self._edges = box_columns(names)
        self.schema = output_schema(self._table.schema, str(file), box=self._edges is not None)
        self._folder = file.absolute().parent
        if not self._table.rows:
            raise ValueError(f"The list has no rows. Received: {file}")
        self._check_rows()

    def chunks(self, selection: Selection) -> Iterator[Chunk]:
        """Yield the selected crops, in the order of the list."""
        done = 0
        for batch in self._table.batches():
            keys, boxes = self._keys(batch)
            mask = selection.mask(keys)
            before, done = done / self._table.rows, done + batch.num_rows
            rows = np.flatnonzero(mask)
            selected = batch.take(arrow().array(rows)) if len(rows) < len(keys) else batch
            columns = self._columns(selected, None if boxes is None else boxes[rows])
            yield from _divided(
                [keys[row] for row in rows],
                [Path(path) for path in columns.column("path").to_pylist()],
                None if boxes is None else boxes[rows],
                columns,
                (before, done / self._table.rows),
            )

    def _keys(self, batch: "pa.RecordBatch") -> tuple[list[str], NDArray[np.float64] | None]:
        given = "key" if "key" in self._table.schema.names else "path"
        keys = _texts(batch.column(given))
        boxes = None if self._edges is None else boxes_of(batch, self._edges)
        if boxes is not None and given == "path":
            keys = [
                f"{key}:{','.join(f'{number:.10g}' for number in box)}"
                for key, box in zip(keys, boxes.tolist(), strict=True)
            ]
        return keys, boxes

    def _columns(
        self, batch: "pa.RecordBatch", boxes: NDArray[np.float64] | None
    ) -> "pa.RecordBatch":
        pa = arrow()
        columns: list[Any] = []
        for field in self.schema:
            if field.name == "path":
                # A million Path objects would take seconds.
                paths = [os.path.join(self._folder, each) for each in _texts(batch.column("path"))]  # noqa: PTH118
                columns.append(pa.array(paths, pa.string()).cast(field.type))
            elif field.name in batch.schema.names:
                columns.append(convert(batch.column(field.name), field, str(self._table.file)))
            elif boxes is not None:
                columns.append(box_column(boxes))
        return pa.record_batch(columns, schema=self.schema)

    def _check_rows(self) -> None:
        """Raise ValueError, before any work, for missing paths, wrong times and a key twice."""
        name = str(self._table.file)
        hashes = np.zeros(self._table.rows, np.uint64)
        row = 0
        for batch in self._table.batches():
            for needed in {"path", "key"} & {*batch.schema.names}:
                missing = [not text for text in _texts(batch.column(needed))]
                if any(missing):
                    raise ValueError(
                        f"The list has no `{needed}` in row {row + missing.index(True) + 1:,}. "
                        f"Received: {name}"
                    )
            if "time" in batch.schema.names:
                convert(batch.column("time"), self.schema.field("time"), name)
            keys, _ = self._keys(batch)
            hashes[row : row + len(keys)] = hash_keys(keys)
            row += len(keys)
        hashes.sort()
        twice = hashes[1:][hashes[1:] == hashes[:-1]]
        if len(twice):
            self._raise_twice(twice)

    def _raise_twice(self, hashes: NDArray[np.uint64]) -> None:
        key = next(
            key
            for batch in self._table.batches()
            for key in self._keys(batch)[0]
            if hash_keys([key])[0] in hashes
        )
        raise ValueError(
            f"The list has {len(hashes):,} crops twice, the first is {key}. Remove them, or tell "
            f"them apart in a column `key`. Received: {self._table.file}"
        )


def _divided(
    keys: Sequence[str],
    files: Sequence[Path],
    boxes: NDArray[np.float64] | None,
    columns: "pa.RecordBatch",
    positions: tuple[float, float],
) -> Iterator[Chunk]:
    """Yield many crops in chunks."""
    first, last = positions
    for start in range(0, len(keys), CHUNK):
        end = min(start + CHUNK, len(keys))
        part: Any = None if boxes is None else [tuple(box) for box in boxes[start:end].tolist()]
        yield Chunk(
            keys[start:end],
            files[start:end],
            part or [None] * (end - start),
            columns.slice(start, end - start),
            first + (last - first) * end / len(keys),
        )


def _texts(column: Any) -> list[str]:
    texts: list[str] = column.cast(arrow().string()).to_pylist()
    return texts
