"""Rows of a gallery as Milvus keeps them, and conditions in its language.

Texts are `VARCHAR`, times `INT64` (microseconds since 1970 in UTC), vectors `FLOAT_VECTOR`, of
numbers rounded to float16. Columns of the user's own are in one of JSON. The columns with their
types are recorded in a property of the collection, as Milvus does not know those of the user.
"""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_osnet.gallery.columns import TEXTS, arrow, vector_matrix
from keras_osnet.gallery.filters import Filter

if TYPE_CHECKING:
    import pyarrow as pa

OTHERS = "_others"
"""The field with the user's own columns; none of these can begin with _."""

FIELDS = ("key", "vector", *TEXTS, "time", "box")
"""Columns that are fields of Milvus."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def schema_to_text(schema: "pa.Schema") -> str:
    """Return a schema as the property of a collection."""
    return base64.b64encode(schema.serialize().to_pybytes()).decode("ascii")


def schema_from_text(text: str) -> "pa.Schema":
    """Return the schema of `schema_to_text`."""
    pa = arrow()
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def check_types(schema: "pa.Schema") -> None:
    """Raise ValueError if a column of the user's own has a type that JSON does not have."""
    types = arrow().types
    tests = (types.is_string, types.is_boolean, types.is_integer, types.is_floating)
    for field in schema:
        if field.name in FIELDS or field.name == "model":
            continue
        kind = field.type
        while types.is_list(kind) or types.is_fixed_size_list(kind):
            kind = kind.value_type
        if not any(test(kind) for test in tests):
            raise ValueError(
                "`columns` of a gallery in Milvus must be text, numbers, true or false, or lists "
                f"of them. Received: {field.name!r} of {field.type}"
            )


def to_milvus(table: "pa.Table") -> list[dict[str, Any]]:
    """Return rows as dicts of the fields of Milvus."""
    vectors = vector_matrix(table["vector"])
    rows = table.drop_columns(["vector", "model"]).to_pylist()
    for row, vector in zip(rows, vectors, strict=True):
        others = {name: row.pop(name) for name in list(row) if name not in FIELDS}
        row["vector"] = vector
        row["time"] = None if row["time"] is None else _microseconds(row["time"])
        row[OTHERS] = {name: value for name, value in others.items() if value is not None} or None
    return rows


def from_milvus(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], schema: "pa.Schema", model: str
) -> "pa.Table":
    """Return rows of Milvus as a table with columns of the schema."""
    pa = arrow()
    made = []
    for name in columns:
        field = schema.field(name)
        if name == "model":
            made.append(pa.repeat(model, len(rows)))
        elif name == "vector":
            flat = np.array([row[name] for row in rows], np.float32).astype(np.float16).ravel()
            made.append(pa.FixedSizeListArray.from_arrays(pa.array(flat), field.type.list_size))
        elif name == "time":
            made.append(pa.array([row.get(name) for row in rows], pa.int64()).cast(field.type))
        elif name in FIELDS:
            values = [None if row.get(name) is None else _plain(row[name]) for row in rows]
            made.append(pa.array(values, field.type))
        else:
            values = [(row.get(OTHERS) or {}).get(name) for row in rows]
            made.append(pa.array(values, field.type))
    return pa.table(made, schema=pa.schema([schema.field(name) for name in columns]))


def fields_of(columns: Sequence[str]) -> list[str]:
    """Return the fields of Milvus that hold columns."""
    fields = [name for name in columns if name in FIELDS]
    others = [name for name in columns if name not in FIELDS and name != "model"]
    return [*fields, *([OTHERS] if others else [])] or ["key"]


def expression(where: Filter) -> str:
    """Return conditions in the language of Milvus; values are quoted as JSON quotes them."""
    parts = [
        f"{name} in {_listed(values)}"
        for name in ("key", "person", "camera", "site")
        if (values := getattr(where, name)) is not None
    ]
    if where.not_camera is not None:
        parts.append(f"(camera is null or camera not in {_listed(where.not_camera)})")
    if where.unnamed:
        parts.append("person is null")
    if where.after is not None:
        parts.append(f"time >= {_microseconds(where.after)}")
    if where.before is not None:
        parts.append(f"time < {_microseconds(where.before)}")
    return " and ".join(parts)


def _listed(values: Iterable[str]) -> str:
    return json.dumps(list(values), ensure_ascii=False)


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else list(value)
