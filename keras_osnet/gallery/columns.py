"""The columns of a gallery, and tables with them from what users have."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils import optional
from keras_osnet.gallery.times import utc
from keras_osnet.metrics import normalize
from keras_osnet.metrics.features import as_array, checked_numbers

if TYPE_CHECKING:
    import pyarrow as pa

TEXTS = ("person", "camera", "site", "source", "tracklet")
"""Columns of text; numbers become text, as cameras and people have either."""

_RESULTS = ("query", "similarity", "query_index")
"""Columns of results, whose names rows cannot have."""


def arrow() -> Any:
    """Import pyarrow, or raise the ImportError that says how to install it."""
    return optional.require("pyarrow", "The gallery", extra="gallery")


def gallery_schema(dim: int, model: str) -> "pa.Schema":
    """Return the columns that every gallery has; others may follow.

    Args:
        dim: Length of the vectors.
        model: Digest of the model that computed them, stored in the schema too.
    """
    pa = arrow()
    unique = {"lance-schema:unenforced-primary-key": "true"}
    return pa.schema(
        [
            pa.field("key", pa.string(), nullable=False, metadata=unique),
            pa.field("vector", pa.list_(pa.float16(), dim)),
            pa.field("model", pa.string()),
            *(pa.field(name, pa.string()) for name in TEXTS),
            pa.field("time", pa.timestamp("us", "UTC")),
            pa.field("box", pa.list_(pa.float32(), 4)),
        ],
        metadata={"keras_osnet:model": model},
    )


def unit_vectors(vectors: ArrayLike, name: str = "vectors") -> NDArray[np.float32]:
    """Return vectors (n, dim), or one (dim,), as float32 (n, dim), scaled to length 1.

    Raises:
        ValueError: They are not such numbers, or one is zero, which has no direction.
    """
    array = as_array(vectors, name)
    array = checked_numbers(array[None] if array.ndim == 1 else array, name)
    zero = np.flatnonzero(~array.any(axis=1))
    if len(zero):
        raise ValueError(f"`{name}` must not be zero in any row. Received: zeros in row {zero[0]}")
    return normalize(array)


def vector_matrix(vectors: Any) -> NDArray[np.float32]:
    """Return a column of vectors as an array (n, dim)."""
    pa = arrow()
    if isinstance(vectors, pa.ChunkedArray):
        vectors = vectors.combine_chunks()
    if vectors.null_count:
        raise ValueError(f"`vector` must not be empty. Received: {vectors.null_count} without")
    flat = vectors.flatten()
    floats = flat.to_numpy(zero_copy_only=False).astype(np.float32)
    return floats.reshape(len(vectors), len(floats) // max(len(vectors), 1))


def gallery_table(
    vectors: ArrayLike,
    columns: "Mapping[str, Any] | pa.Table | Sequence[Mapping[str, Any]] | None",
    model: str,
) -> "pa.Table":
    """Return rows of a gallery: `gallery_schema`'s columns, then the user's others.

    Raises:
        ValueError: Vectors or columns are not as `Gallery.add` takes them.
    """
    pa = arrow()
    units = unit_vectors(vectors)
    given = _as_table(columns, len(units))
    for name in given.column_names:
        if name.startswith("_") or name in _RESULTS or not name:
            raise ValueError(
                f"`columns` must not be called {', '.join(_RESULTS)} or begin with _. "
                f"Received: {name!r}"
            )
    given = given.drop_columns(list({"vector", "model"} & set(given.column_names)))
    schema = gallery_schema(units.shape[1], model)
    made: dict[str, Any] = {}
    for field in schema:
        if field.name == "vector":
            halves = pa.array(units.astype(np.float16).ravel())
            made["vector"] = pa.FixedSizeListArray.from_arrays(halves, units.shape[1])
        elif field.name == "model":
            made["model"] = pa.repeat(model, len(units))
        elif field.name in given.column_names:
            made[field.name] = _standard(given[field.name].combine_chunks(), field)
        elif field.name != "key":
            made[field.name] = pa.nulls(len(units), field.type)
    others = [field for field in given.schema if field.name not in schema.names]
    for field in others:
        if not pa.types.is_null(field.type):
            made[field.name] = _plain(given[field.name].combine_chunks())
    if "key" not in made:
        made["key"] = pa.array(_digests(units, made))
    _check_keys(made["key"].to_pylist())
    fields = [
        *schema,
        *(pa.field(name, made[name].type) for name in made if name not in schema.names),
    ]
    return pa.table(
        [made[field.name] for field in fields], schema=pa.schema(fields, metadata=schema.metadata)
    )


def fit(table: "pa.Table", schema: "pa.Schema") -> "pa.Table":
    """Return a table with the columns of a gallery's schema: others are null, types are cast.

    Raises:
        ValueError: A column has another type than the gallery's.
    """
    pa = arrow()
    made = []
    for field in schema:
        if field.name not in table.column_names:
            made.append(pa.nulls(len(table), field.type))
            continue
        try:
            made.append(table[field.name].cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ValueError(
                f"`columns` must have the types of the gallery: {field.name} is {field.type} "
                f"there. Received: {table[field.name].type} ({error})"
            ) from None
    return pa.table(made, schema=schema)


def _as_table(columns: Any, rows: int) -> "pa.Table":
    """Return the columns of a dict, a table or a list of dicts as a table of `rows` rows."""
    pa = arrow()
    if isinstance(columns, pa.Table):
        table = columns
    elif columns is None:
        return pa.table({"source": pa.nulls(rows)})
    elif isinstance(columns, Mapping):
        table = pa.table(
            {str(name): _array(values, name, rows) for name, values in columns.items()}
        )
    elif isinstance(columns, Iterable) and not isinstance(columns, str | bytes):
        listed = list(columns)
        if not all(isinstance(row, Mapping) for row in listed):
            raise ValueError(f"`columns` must be a list of dicts. Received: {listed[:3]!r}")
        found = list(dict.fromkeys(name for row in listed for name in row))
        table = pa.table(
            {str(each): _array([row.get(each) for row in listed], each) for each in found}
        )
        if len(listed) == rows and not found:
            return pa.table({"source": pa.nulls(rows)})
    else:
        raise ValueError(
            f"`columns` must be a dict, a table or a list of dicts. Received: {columns!r:.80}"
        )
    if table.num_columns and len(table) != rows:
        raise ValueError(
            "`columns` must have a value for every vector. "
            f"Received: {len(table)} values, {rows} vectors"
        )
    if len(set(table.column_names)) < table.num_columns:
        raise ValueError(f"`columns` must have distinct names. Received: {table.column_names}")
    return table if table.num_columns else pa.table({"source": pa.nulls(rows)})


def _array(values: Any, name: Any, rows: int | None = None) -> "pa.Array":
    """Return a column's values as an Arrow array; a time stays as it is given, to be checked."""
    pa = arrow()
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        values = [values] * (rows or 1)  # one for all
    try:
        listed = values.tolist() if isinstance(values, np.ndarray) and values.ndim > 1 else values
        listed = listed if isinstance(listed, np.ndarray) else list(listed)
        if name == "time" and not isinstance(listed, np.ndarray):
            listed = [None if each is None else utc(each, "time") for each in listed]
        return pa.array(listed, from_pandas=True)
    except (pa.ArrowException, UnicodeError) as error:
        raise ValueError(
            f"`columns` must have values of one type in each column. Received: {name!r} ({error})"
        ) from None


def _standard(values: "pa.Array", field: "pa.Field") -> "pa.Array":
    """Return the values of one of `gallery_schema`'s columns in its type."""
    pa = arrow()
    values = _plain(values)
    kind = values.type
    if pa.types.is_null(kind):
        return pa.nulls(len(values), field.type)
    try:
        if field.name == "time":
            if pa.types.is_string(kind):
                return pa.array(
                    [None if each is None else utc(each, "time") for each in values.to_pylist()],
                    field.type,
                )
            if not pa.types.is_timestamp(kind) or kind.tz is None:
                raise ValueError(
                    "`time` must have a time zone: datetimes with one, text such as "
                    f"2026-11-27T13:00Z, or timestamps in UTC. Received: {kind}"
                )
            return values.cast(field.type, safe=False)
        if field.name == "box":
            return values.cast(field.type)
        if pa.types.is_floating(kind):  # of a table with gaps, in which numbers became floats
            values = values.cast(pa.int64())
        if not (pa.types.is_integer(values.type) or pa.types.is_string(values.type)):
            raise ValueError(f"`{field.name}` must be text or whole numbers. Received: {kind}")
        texts = values.cast(field.type)
        if field.name == "key":
            return texts
        empty = pa.compute.equal(texts, "")  # a cell of a list without a value
        return pa.compute.if_else(empty, pa.scalar(None, field.type), texts)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        wanted = "left, top, right, bottom" if field.name == "box" else "text or whole numbers"
        raise ValueError(f"`{field.name}` must be {wanted}. Received: {kind} ({error})") from None


def _plain(values: "pa.Array") -> "pa.Array":
    """Return values without dictionaries and without the large types, which say the same."""
    pa = arrow()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type):
        return values.cast(pa.string())
    return values


def _digests(units: NDArray[np.float32], columns: Mapping[str, "pa.Array"]) -> list[str]:
    """Return a key for every row: a digest of its content, so that adding it twice is once."""
    names = [name for name in columns if name not in ("vector", "model")]
    rows = zip(*(columns[name].to_pylist() for name in names), strict=True)
    halves = units.astype(np.float16)
    digests = []
    for vector, row in zip(halves, rows, strict=True):
        known = [(name, value) for name, value in zip(names, row, strict=True) if value is not None]
        content = vector.tobytes() + repr(sorted(known)).encode()
        digests.append(hashlib.blake2b(content, digest_size=16).hexdigest())
    return digests


def _check_keys(keys: Sequence[str | None]) -> None:
    if len(set(keys)) == len(keys) and None not in keys:
        return
    seen: set[str | None] = set()
    for key in keys:
        if key is None or key in seen:
            raise ValueError(f"`key` must be another text in every row. Received: {key!r}")
        seen.add(key)
