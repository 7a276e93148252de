"""Users' own images, listed in a table: a CSV or a Parquet file."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_osnet._utils.optional import require
from keras_osnet.data.datasets._files import require_files
from keras_osnet.data.records import AttributeDataset, AttributeImages, PersonImage, ReidDataset

_LABELS = ("path", "identity", "camera", "split")
"""Columns that are not attributes."""

_PARTS = {"train": "train", "val": "validation", "validation": "validation"}


def people_from_table(path: str | os.PathLike[str]) -> ReidDataset:
    """Read a table of images of people.

    ```
    path,identity,camera,split
    anna/1.jpg,anna,entrance,train
    ```

    Identities and cameras may be numbers or names; names are numbered in alphabetical order from
    1, and people keep theirs, see `ReidDataset.identity_names`. Columns besides these four are left
    to `attributes_from_table`.

    Args:
        path: A CSV file with a header, in UTF-8, or a `.parquet` file. Column `path` has the
            images, relative to the table's folder or absolute; `identity` the person;
            `camera`, which may be missing or empty, the camera; `split`, which may be missing,
            one of train, validation (or val), query and gallery: without it all are `train`.

    Returns:
        The dataset, named after the file.

    Raises:
        FileNotFoundError: The table or images are not there.
        ValueError: A column is missing, or a value is.
        ImportError: The table is Parquet and pyarrow is not installed.
    """
    table = Path(path)
    columns = _read_columns(table, needed=("path", "identity"))
    paths = _paths(table, columns["path"])
    identities = _numbers(columns["identity"])
    cameras = _numbers(columns.get("camera", []))
    parts = _split(table, columns, len(paths), {**_PARTS, "query": "query", "gallery": "gallery"})
    images: dict[str, list[PersonImage]] = {}
    for row, (part, image_path) in enumerate(zip(parts, paths, strict=True)):
        identity = columns["identity"][row]
        if not identity:
            raise ValueError(
                f"Column `identity` must have a value in every row. "
                f"Received: none for {columns['path'][row]} in {table}"
            )
        camera = cameras.get(columns["camera"][row]) if cameras else None
        person = PersonImage(image_path, identities[identity], camera, name=identity)
        images.setdefault(part, []).append(person)
    return ReidDataset(
        name=table.stem,
        train=tuple(images.get("train", ())),
        query=tuple(images.get("query", ())),
        gallery=tuple(images.get("gallery", ())),
        validation=tuple(images.get("validation", ())),
    )


def attributes_from_table(path: str | os.PathLike[str]) -> AttributeDataset:
    """Read a table of images with attributes.

    ```
    path,split,hat,backpack
    1.jpg,train,0,1
    ```

    Args:
        path: A CSV file with a header, in UTF-8, or a `.parquet` file. Column `path` has the
            images, relative to the table's folder or absolute; `split`, which may be missing,
            is one of train, validation (or val) and test: without it all are training images. All
            other columns but `identity` and `camera` are attributes, of values 0 and 1.

    Returns:
        The dataset, named after the file; attributes in the order of the columns.

    Raises:
        FileNotFoundError: The table or images are not there.
        ValueError: A column is missing, or a value is invalid.
        ImportError: The table is Parquet and pyarrow is not installed.
    """
    table = Path(path)
    columns = _read_columns(table, needed=("path",))
    names = tuple(name for name in columns if name not in _LABELS)
    if not names:
        raise ValueError(
            f"The table must have columns besides {', '.join(_LABELS)}. Received: {table}"
        )
    paths = _paths(table, columns["path"])
    parts = np.array(_split(table, columns, len(paths), {**_PARTS, "test": "test"}))
    labels = np.zeros((len(paths), len(names)), np.uint8)
    values = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "False": 0, "True": 1}
    for column, name in enumerate(names):
        for row, value in enumerate(columns[name]):
            if value not in values:
                raise ValueError(
                    f"An attribute is 0 or 1. Received: {name}={value!r} for "
                    f"{columns['path'][row]} in {table}"
                )
            labels[row, column] = values[value]

    def part(name: str) -> AttributeImages:
        rows = np.flatnonzero(parts == name)
        return AttributeImages(tuple(paths[row] for row in rows), labels[rows])

    return AttributeDataset(table.stem, names, part("train"), part("validation"), part("test"))


def _read_columns(table: Path, needed: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns of a table by name, all values as text; missing ones are empty."""
    if not table.is_file():
        raise FileNotFoundError(f"`path` must be a file. Received: {table}")
    if table.suffix.lower() == ".parquet":
        parquet = require("pyarrow.parquet", "Reading Parquet files", "parquet")
        content = parquet.read_table(table).to_pydict()
        columns = {
            name: ["" if value is None else str(value) for value in values]
            for name, values in content.items()
        }
    else:
        # Spreadsheets begin UTF-8 with a byte order mark.
        with table.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
        rows = [row for row in rows if row]
        for row in rows:
            if len(row) != len(header):
                raise ValueError(
                    f"A row must have {len(header)} values, as the header has. "
                    f"Received: {row} in {table}"
                )
        columns = {name.strip(): [row[i].strip() for row in rows] for i, name in enumerate(header)}
    missing = [name for name in needed if name not in columns]
    if missing:
        raise ValueError(
            f"The table must have the columns {', '.join(needed)}. "
            f"Received: {', '.join(columns) or 'none'} in {table}"
        )
    if not columns["path"]:
        raise ValueError(f"The table has no rows. Received: {table}")
    return columns


def _paths(table: Path, names: Sequence[str]) -> list[Path]:
    """Return the images, or raise FileNotFoundError if some are missing."""
    paths = [table.parent / name for name in names]
    require_files(paths, named_in=table)
    return paths


def _numbers(values: Sequence[str]) -> dict[str, int]:
    """Return a number for each value: its own if all are integers, else from 1 in their order."""
    given = sorted({value for value in values if value})
    if all(value.isdecimal() for value in given):
        return {value: int(value) for value in given}
    return {value: number for number, value in enumerate(given, start=1)}


def _split(
    table: Path, columns: dict[str, list[str]], rows: int, names: dict[str, str]
) -> list[str]:
    """Return the part that each row belongs to."""
    values = columns.get("split", ["train"] * rows)
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ValueError(
            f"Column `split` must be one of {', '.join(names)}. Received: {unknown[0]!r} in {table}"
        )
    return [names[value] for value in values]
