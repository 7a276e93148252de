"""Galleries in Milvus without a server: rows, conditions, errors. See tests/neighbours."""

import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from gallery_rows import START, some_columns, some_vectors

from keras_osnet.gallery import Gallery
from keras_osnet.gallery.filters import Filter

pa = pytest.importorskip("pyarrow")
columns = pytest.importorskip("keras_osnet.gallery.columns")
milvus_rows = pytest.importorskip("keras_osnet.gallery.milvus_rows")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, ""),
        ({"camera": 3}, 'camera in ["3"]'),
        ({"person": ["O'Neil", 'a"\\b', "好"]}, 'person in ["O\'Neil", "a\\"\\\\b", "好"]'),
        ({"not_camera": [1, 2]}, '(camera is null or camera not in ["1", "2"])'),
        (
            {"site": "n", "after": START},
            'site in ["n"] and time >= 1795788000000000',
        ),
        ({"before": datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)}, "time < -1"),
        ({"key": "k"}, 'key in ["k"]'),
    ],
)
def test_conditions(conditions, expected):
    assert milvus_rows.expression(Filter.of(**conditions)) == expected


def test_rows_and_back():
    given = some_columns(4) | {"box": [[1, 2, 3, 4.5], None] * 2, "hat": [True, None] * 2}
    given["time"][3] = None
    table = columns.gallery_table(some_vectors(4), given, "m")
    text = milvus_rows.schema_to_text(table.schema)
    schema = milvus_rows.schema_from_text(text)
    assert schema.equals(table.schema, check_metadata=True)
    rows = milvus_rows.to_milvus(table)
    assert (rows[0]["time"], rows[3]["time"]) == (1795788000000000, None)
    assert (rows[0]["_others"], rows[1]["_others"]) == ({"hat": True}, None)
    assert set(rows[0]) == {*milvus_rows.FIELDS, "_others"}
    back = milvus_rows.from_milvus(rows, schema.names, schema, "m")
    assert back.to_pydict() == table.to_pydict()
    np.testing.assert_array_equal(rows[2]["vector"], table["vector"].to_pylist()[2])


def test_columns_that_json_does_not_have():
    fields = {"a": pa.int8(), "b": pa.list_(pa.string()), "time": pa.timestamp("us", "UTC")}
    milvus_rows.check_types(pa.schema(fields))
    with pytest.raises(ValueError, match=r"must be text, numbers.*Received: 'd' of date32"):
        milvus_rows.check_types(pa.schema({"d": pa.date32()}))


def test_pymilvus_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(ImportError, match=r"needs pymilvus.*keras-osnet\[milvus\]"):
        Gallery.open("http://127.0.0.1:19530")


@pytest.mark.parametrize("uri", ["http://", "http://h/a-b", "http://h/a/b", "http://h?x=1"])
def test_addresses(uri):
    with pytest.raises(ValueError, match=r"`uri` of Milvus must be http://HOST:PORT/COLLECTION"):
        Gallery.open(uri)


def test_a_password_is_not_repeated():
    with pytest.raises(ValueError, match="MILVUS_TOKEN") as caught:
        Gallery.open("https://root:secret@host:19530/people")
    assert "secret" not in str(caught.value)
