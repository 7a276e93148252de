"""Columns of an input that become columns of the output."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet.bulk._arrow import arrow

if TYPE_CHECKING:
    import pyarrow as pa

OWN = ("key", "vector", "model", "reason")
"""Columns that the output adds to those of the input."""

_EDGES = ("left", "top", "right", "bottom")
_CORNER_AND_SIZE = ("left", "top", "width", "height")


def output_schema(schema: "pa.Schema", name: str, *, box: bool = False) -> "pa.Schema":
    """Return the schema of an input's columns in the output.

    `time` becomes a timestamp of microseconds in UTC; a column without any value becomes text.

    Args:
        schema: Of the input.
        name: The input, for errors.
        box: Whether to add `box`, four numbers.

    Raises:
        ValueError: Two columns have the same name, or one has a name of `OWN` (but `key`, which
            is left out) or a time that is none.
    """
    pa = arrow()
    fields = {}
    for field in schema:
        if field.name in fields or field.name in OWN[1:]:
            why = "twice" if field.name in fields else "of a name that the output needs itself"
            raise ValueError(f"There is a column `{field.name}` {why}; rename it. Received: {name}")
        kind = pa.string() if pa.types.is_null(field.type) else field.type
        if field.name == "time":
            kind = _time_type(field.type, name)
        fields[field.name] = pa.field(field.name, kind)
    fields.pop("key", None)
    if box and "box" not in fields:
        fields["box"] = pa.field("box", pa.list_(pa.float64(), 4))
    return pa.schema(list(fields.values()))


def _time_type(kind: Any, name: str) -> Any:
    pa = arrow()
    is_time = (pa.types.is_timestamp, pa.types.is_date, pa.types.is_null)
    if not any(check(kind) for check in (*is_time, pa.types.is_string, pa.types.is_large_string)):
        raise ValueError(
            "The column `time` must hold times such as 2026-11-27T14:03:00Z (UTC unless they "
            f"say their zone); call numbers otherwise, such as `seconds`. Received: {kind} in "
            f"{name}"
        )
    return pa.timestamp("us", "UTC")


def convert(column: Any, field: "pa.Field", name: str) -> Any:
    """Return a column of the input as one of the output.

    Raises:
        ValueError: A value is not of the type.
    """
    pa = arrow()
    if column.type == field.type:
        return column
    try:
        if field.name == "time" and pa.types.is_string(column.type):
            return _parsed_times(column, field.type)
        # Nanoseconds are cut off.
        return column.cast(field.type, safe=field.name != "time")
    except pa.ArrowInvalid as error:
        raise ValueError(f"The column `{field.name}`: {error}. Received: {name}") from error


def _parsed_times(texts: Any, kind: Any) -> Any:
    """Return times of ISO 8601, those without a zone in UTC."""
    pa = arrow()
    compute = arrow("compute")
    none = pa.scalar(None, pa.string())
    trimmed = compute.utf8_trim_whitespace(texts)
    trimmed = compute.if_else(compute.equal(trimmed, ""), none, trimmed)
    zoned = compute.match_substring_regex(trimmed, r"(Z|[+-]\d{2}(:?\d{2})?)$")
    # A date alone ends as a zone does: 2026-11-27.
    dates = compute.match_substring_regex(trimmed, r"^\d{4}-\d{2}-\d{2}$")
    naive = compute.or_(compute.invert(zoned), dates)
    in_utc = compute.if_else(naive, trimmed, none).cast(pa.timestamp("us")).cast(kind)
    return compute.coalesce(in_utc, compute.if_else(naive, none, trimmed).cast(kind))


def box_columns(names: Sequence[str]) -> tuple[str, ...] | None:
    """Return the columns that hold boxes in pixels of the image, None if there are none."""
    return next((each for each in (_EDGES, _CORNER_AND_SIZE) if {*each} <= {*names}), None)


def boxes_of(batch: "pa.RecordBatch", names: Sequence[str]) -> NDArray[np.float64]:
    """Return the boxes of a record batch, (n, 4): left, top, right, bottom; NaN without a number.

    Raises:
        ValueError: A column does not hold numbers.
    """
    pa = arrow()
    try:
        columns = [
            batch.column(name).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            for name in names
        ]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"The columns {', '.join(names)} must be numbers: {error}") from error
    boxes = np.stack(columns, axis=1).astype(np.float64)
    if tuple(names) == _CORNER_AND_SIZE:
        boxes[:, 2:] += boxes[:, :2]
    return boxes


def box_column(boxes: NDArray[np.float64]) -> Any:
    """Return boxes as the column `box`."""
    pa = arrow()
    return pa.FixedSizeListArray.from_arrays(pa.array(boxes.reshape(-1)), 4)
