"""Reading a table of any size, CSV or Parquet, a few thousand rows at a time."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_osnet._utils.csv_format import CsvFormat, csv_format
from keras_osnet._utils.files import check_regular, open_regular
from keras_osnet._utils.text import text_encoding
from keras_osnet.bulk._arrow import arrow

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = (".csv", ".tsv", ".parquet")

_ROWS = 4096
_BLOCK = 1 << 18
"""Bytes of a CSV file that are read at once, and that the types are first guessed from; pyarrow
holds up to 32 blocks."""

_TEXT = ("path", "key")

_LOOSER = {"null": "int64", "int64": "float64"}
"""The next type to try for a column of a CSV file, in which a later value does not fit;
else text."""

_MISFIT = re.compile(r"In CSV column #(\d+):.*conversion error to (\w+)", re.DOTALL)


class Table:
    """A table that is read in batches, several times.

    The types of a CSV file's columns are those that all its values fit; `path` and `key` are text.

    Args:
        file: A `.csv` or `.tsv` file, with a header, separated by commas, semicolons, tabs or `|`
            and in an encoding of `keras_osnet._utils.text`; or a `.parquet` file.
        needed: Names of columns that tell the separator of a CSV file.

    Attributes:
        file: The same.
        schema: The columns with their types.
        rows: Number of rows.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no such table, or has no rows.
        ImportError: pyarrow is not installed.
    """

    def __init__(self, file: Path, needed: Sequence[str]) -> None:
        self.file = file
        arrow()
        check_regular(file)
        self._types: dict[str, Any] = {}
        self._is_parquet = file.suffix.lower() == ".parquet"
        if not self._is_parquet:
            self._encoding = text_encoding(lambda: _blocks(file), str(file))
            self._format = self._csv_format(needed)
        self.schema, self.rows = self._scan()

    def batches(self) -> Iterator["pa.RecordBatch"]:
        """Yield record batches of at most some thousand rows.

        Raises:
            ValueError: The file is damaged.
        """
        pa = arrow()
        try:
            if self._is_parquet:
                with arrow("parquet").ParquetFile(self.file) as parquet:
                    yield from parquet.iter_batches(_ROWS)
                return
            with self._open_csv() as reader:
                for batch in reader:
                    for start in range(0, batch.num_rows, _ROWS):
                        yield batch.slice(start, _ROWS)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise _damaged(self.file, error) from error

    def _scan(self) -> tuple["pa.Schema", int]:
        """Return schema and number of rows, after all of a CSV file has been read once."""
        pa = arrow()
        while True:
            try:
                if self._is_parquet:
                    with arrow("parquet").ParquetFile(self.file) as parquet:
                        return parquet.schema_arrow, parquet.metadata.num_rows
                with self._open_csv() as reader:
                    return reader.schema, sum(batch.num_rows for batch in reader)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                misfit = _MISFIT.search(str(error))
                if misfit is None:
                    raise _damaged(self.file, error) from error
                self._loosen(int(misfit[1]), misfit[2])

    def _loosen(self, index: int, kind: str) -> None:
        """Let a column have a type that more values fit."""
        looser = getattr(arrow(), _LOOSER.get(kind, "string"))
        self._types[self._format.names[index]] = looser()

    def _csv_format(self, needed: Sequence[str]) -> CsvFormat:
        with open_regular(self.file) as opened:
            start = opened.read(1 << 16)
        found = csv_format(start.decode(self._encoding, "ignore"), needed)
        if not found.names:
            raise ValueError(f"The table is empty: a header is needed. Received: {self.file}")
        if not found.has_rows:
            raise ValueError(f"The table has a header, but no rows. Received: {self.file}")
        return found

    def _open_csv(self) -> Any:
        reading = arrow("csv")
        types = dict.fromkeys(_TEXT, arrow().string()) | self._types
        return reading.open_csv(
            self.file,
            read_options=reading.ReadOptions(
                block_size=_BLOCK,
                encoding=self._encoding,
                skip_rows=self._format.skipped,
            ),
            parse_options=reading.ParseOptions(
                delimiter=self._format.delimiter, newlines_in_values=True
            ),
            convert_options=reading.ConvertOptions(column_types=types),
        )


def _blocks(file: Path) -> Iterator[bytes]:
    with open_regular(file) as opened:
        while block := opened.read(_BLOCK):
            yield block


def _damaged(file: Path, error: Exception) -> ValueError:
    return ValueError(f"The table cannot be read: {' '.join(str(error).split())}. Received: {file}")
