"""The separator of a CSV file, by the names in its header or as it declares it."""

import csv
import io
import re
from collections.abc import Sequence
from typing import NamedTuple

DELIMITERS = ",;\t|"

_DECLARED = re.compile(r"sep=(.)\r?\n")
"""The first line by which Excel knows the separator."""


class CsvFormat(NamedTuple):
    """How the rows of a CSV file are written.

    Attributes:
        delimiter: Between values.
        skipped: Lines before the header: a first one such as `sep=;`, and those without values.
        names: The header, as it is written; empty if there is none.
        has_rows: Whether a row with values follows the header.
    """

    delimiter: str
    skipped: int
    names: Sequence[str]
    has_rows: bool


def csv_format(text: str, needed: Sequence[str]) -> CsvFormat:
    """Return the format of a CSV file.

    Args:
        text: The file, or its beginning with at least the header and part of a row.
        needed: Names of columns, in lower case. The separator that finds most of them is taken,
            of several the one with most columns.
    """
    declared = _DECLARED.match(text)
    if declared:
        return _read_header(text, declared[1], declared.end())

    def fitness(found: CsvFormat) -> tuple[int, int]:
        names = {name.strip().lower() for name in found.names}
        return len(names.intersection(needed)), len(found.names)

    return max((_read_header(text, each, 0) for each in DELIMITERS), key=fitness)


def _read_header(text: str, delimiter: str, start: int) -> CsvFormat:
    """Return the format with the first row that has a value."""
    content = io.StringIO(text[start:], newline="")
    rows = csv.reader(content, delimiter=delimiter, strict=True)
    names: list[str] = []
    skipped = line = 1 if start else 0
    has_rows = False
    try:
        for row in rows:
            if any(cell.strip() for cell in row):
                if names:
                    return CsvFormat(delimiter, skipped, names, True)
                names, skipped = row, line
            line = rows.line_num + (1 if start else 0)
    except csv.Error:  # such as a value that goes on after the beginning of a file
        has_rows = bool(names)
    return CsvFormat(delimiter, skipped, names, has_rows)
