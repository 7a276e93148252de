"""Tables of text, from CSV and Parquet files, and the images that they name."""

import csv
import io
import os
import re
import stat
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_osnet._utils.csv_format import csv_format
from keras_osnet._utils.files import read_bytes
from keras_osnet._utils.optional import require
from keras_osnet._utils.text import decode_text
from keras_osnet._utils.warn_user import warn_user

LABELS = ("path", "identity", "camera", "split")
"""Columns that are not attributes."""

_LARGEST = 1 << 30

_WHOLE = re.compile(r"([+-]?)(\d+)(?:[.,]0+)?")
_LONGEST = 40
"""Letters of a number; longer ones are names."""


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        path: The file.
        columns: The values of each column by name; missing ones are empty.
        lines: The line in the file, or the row of a Parquet file, of each row.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: Sequence[int]

    def __getitem__(self, name: str) -> list[str]:
        return self.columns[name]

    def where(self, row: int) -> str:
        """Return the place of a row, for messages."""
        return f"line {self.lines[row]} of {self.path}"

    @classmethod
    def read(cls, path: Path, needed: Sequence[str]) -> "Table":
        """Read a table, or raise ValueError if it is damaged or lacks a column."""
        if not path.is_file():
            raise FileNotFoundError(f"`path` must be a file. Received: {path}")
        is_parquet = path.suffix.lower() == ".parquet"
        header, rows, lines = _read_parquet(path) if is_parquet else _read_csv(path, needed)
        names = [name.lower() if name.lower() in LABELS else name for name in header]
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise ValueError(
                f"Columns must have different names. Received: {', '.join(twice)} twice in {path}"
            )
        missing = [name for name in needed if name not in names]
        if missing:
            raise ValueError(
                f"The table must have the columns {', '.join(needed)}. "
                f"Received: {', '.join(filter(None, names)) or 'none'} in {path}"
            )
        if not rows:
            raise ValueError(f"The table has no rows. Received: {path}")
        # Spreadsheets and pandas write columns of row numbers without a name.
        columns = {name: [row[i] for row in rows] for i, name in enumerate(names) if name}
        return cls(path, columns, lines)

    def parts(self, names: dict[str, str]) -> list[str]:
        """Return the part of the dataset that each row belongs to."""
        values = [value.lower() for value in self.columns.get("split", ["train"] * len(self.lines))]
        for row, value in enumerate(values):
            if value not in names:
                raise ValueError(
                    f"Column `split` must be one of {', '.join(names)}. "
                    f"Received: {self['split'][row]!r} in {self.where(row)}"
                )
        return [names[value] for value in values]

    def images(self, parts: Sequence[str], labels: Sequence[str]) -> tuple[list[Path], list[int]]:
        """Return the image of each row, and the rows without those that repeat another.

        Args:
            parts: The part of each row.
            labels: Columns that must agree in rows of one image.

        Raises:
            FileNotFoundError: Some are not there.
            ValueError: They do not agree.
        """
        paths, keys, missing = [], [], []
        for row, name in enumerate(self["path"]):
            path, status = _locate(self.path.parent, name)
            paths.append(path)
            if status is None:
                missing.append(row)
                continue
            # Links and other ways to write a path lead to the same file.
            keys.append((status.st_dev, status.st_ino) if status.st_ino else os.path.normpath(path))
        if missing:
            raise FileNotFoundError(
                f"{len(missing):,} of the {len(paths):,} files that {self.path} names are not "
                f"there, the first being {paths[missing[0]]} in line {self.lines[missing[0]]}. "
                f"Received: {self.path}"
            )
        first: dict[Any, int] = {}
        kept, repeated, shared = [], [], []
        for row, key in enumerate(keys):
            earlier = first.setdefault(key, row)
            for label in (name for name in labels if earlier != row and name in self.columns):
                one, other = self[label][earlier], self[label][row]
                if one != other:
                    raise ValueError(
                        f"Rows of one image must agree in column `{label}`. Received: "
                        f"{paths[row]} with {one!r} in line {self.lines[earlier]} and {other!r} in "
                        f"{self.where(row)}"
                    )
            if (key, parts[row]) in first:
                repeated.append(row)
                continue
            first[key, parts[row]] = row
            kept.append(row)
            if {parts[earlier], parts[row]} not in ({parts[row]}, {"query", "gallery"}):
                shared.append(row)
        if repeated:
            warn_user(
                f"Rows that repeat the image of an earlier row are left out: {len(repeated):,}, "
                f"the first in {self.where(repeated[0])}."
            )
        if shared:
            warn_user(
                f"Images are in two parts, so that results on them mean little: {len(shared):,}, "
                f"the first, {paths[shared[0]]}, in lines {self.lines[first[keys[shared[0]]]]} and "
                f"{self.lines[shared[0]]} of {self.path}."
            )
        return paths, kept

    def numbers(self, column: str, rows: Sequence[int]) -> dict[str, int]:
        """Return a number for each value of a column, without empty ones.

        Its own if all are whole numbers (of cameras, negative ones too), else from 1 in the order
        of the values.

        Raises:
            ValueError: Two values are the same number or name, written differently.
        """
        first: dict[str, int] = {}
        for row in rows:
            if self[column][row]:
                first.setdefault(self[column][row], row)
        written: dict[str, str] = {}
        alike: dict[str, str] = {}
        for value, row in first.items():
            other = written.setdefault(canonical(value), value)
            if other != value:
                raise ValueError(
                    f"Column `{column}` must write a number or name in one way. "
                    f"Received: {other!r} in line {self.lines[first[other]]} and {value!r} in "
                    f"{self.where(row)}"
                )
            other = alike.setdefault(canonical(value).casefold(), value)
            if other != value:
                warn_user(
                    f"{other!r} and {value!r} in column {column!r} differ in capital letters only "
                    f"and are taken for two, in line {self.lines[first[other]]} and "
                    f"{self.where(row)}."
                )
        sign = "[+-]?" if column == "camera" else ""
        if all(re.fullmatch(rf"{sign}\d{{1,18}}", value) for value in first):
            return {value: int(value) for value in first}
        return {value: number for number, value in enumerate(sorted(first), start=1)}


def _read_csv(path: Path, needed: Sequence[str]) -> tuple[list[str], list[list[str]], list[int]]:
    """Return the header, the rows and their lines; values are stripped."""
    text = decode_text(read_bytes(path, _LARGEST), str(path))
    found = csv_format(text, needed)
    content, skipped = io.StringIO(text, newline=""), found.skipped
    for _ in range(skipped):
        next(content)
    reader, rows, lines = csv.reader(content, delimiter=found.delimiter, strict=True), [], []
    line = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):  # spreadsheets leave rows of separators behind
                rows.append(cells)
                lines.append(line + skipped)
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"The CSV file is damaged: {error}. Received: line {line + skipped} of {path}"
        ) from error
    header = rows[0] if rows else []
    for row, line in zip(rows, lines, strict=True):
        while len(row) > len(header) and not row[-1]:
            row.pop()
        if len(row) != len(header):
            raise ValueError(
                f"A row must have {len(header)} values, as the header has. "
                f"Received: {row} in line {line} of {path}"
            )
    return header, rows[1:], lines[1:]


def _read_parquet(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Return the names of the columns, the rows as text, and their numbers."""
    parquet = require("pyarrow.parquet", "Reading Parquet files", "parquet")
    try:
        content = parquet.read_table(path)
        columns = [[_text(value) for value in column.to_pylist()] for column in content.columns]
    # Damaged files give errors of every kind, most of them pyarrow's own.
    except Exception as error:
        raise ValueError(f"Cannot read the Parquet file: {error}. Received: {path}") from error
    rows = [list(row) for row in zip(*columns, strict=True)]
    return list(content.column_names), rows, list(range(1, len(rows) + 1))


def _text(value: Any) -> str:
    """Return a value of a Parquet file as a CSV file would have it."""
    if value is None or value != value:  # NaN: pandas' missing value
        return ""
    if isinstance(value, float) and value.is_integer():  # pandas' integers beside missing ones
        return str(int(value))
    return (value.decode() if isinstance(value, bytes) else str(value)).strip()


def _locate(folder: Path, name: str) -> tuple[Path, os.stat_result | None]:
    """Return the path of an image and its status, None if it is no file."""
    for each in (name, name.replace("\\", "/")):  # tables that were written on Windows
        with suppress(OSError, ValueError):
            status = (folder / each).stat()
            if stat.S_ISREG(status.st_mode):
                return folder / each, status
    return folder / name, None


def canonical(value: str) -> str:
    """Return a form that ways to write the same whole number, or the same letters, share."""
    text = unicodedata.normalize("NFC", value).replace("\u2212", "-")
    number = _WHOLE.fullmatch(text) if len(text) <= _LONGEST else None
    return text if number is None else str(int(number[1] + number[2]))
