"""Fill and search galleries in Milvus, with pymilvus.

    search_in_milvus.py PACKAGE TESTS ADDRESS FOLDER

PACKAGE and TESTS are added to the path. ADDRESS is of an empty server. FOLDER gets exports.
"""

import json
import sys
from datetime import timedelta

sys.path[:0] = sys.argv[1:3]

import numpy as np  # noqa: E402
from gallery_rows import START, some_columns, some_vectors  # noqa: E402

from keras_osnet.gallery import Gallery  # noqa: E402

ADDRESS, FOLDER = sys.argv[3:5]
COUNT = 60


def error_of(call):
    try:
        call()
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("no error")


def meets(index, name):
    return {
        "not_camera": index % 3 != 0,
        "camera_and_site": index % 3 == 1 and index % 2 == 1,
        "people": index % 5 in (1, 4),
        "after": index >= 50,
        "between": index == 5,
        "none": False,
    }[name]


def check_conditions(gallery):
    query = some_vectors(1, seed=3)[0]
    units = some_vectors(COUNT)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    order = np.argsort(-(units @ query))
    minute = timedelta(minutes=1)
    for name, conditions in {
        "not_camera": {"not_camera": 0},
        "camera_and_site": {"camera": 1, "site": "north"},
        "people": {"person": ["person 1", "person 4"]},
        "after": {"after": START + 50 * minute},
        "between": {"after": START + 5 * minute, "before": START + 6 * minute},
        "none": {"camera": 7},
    }.items():
        expected = [f"crop-{i}" for i in order if meets(i, name)][:5]
        found = [row["key"] for row in gallery.search(query, 5, **conditions)[0]]
        assert found == expected, (name, found, expected)
        if "not_camera" not in conditions:
            number = sum(meets(i, name) for i in range(COUNT))
            assert gallery.count(**conditions) == number


with Gallery.open(f"{ADDRESS}/people") as gallery:
    errors = {"absent": error_of(gallery.count)}
    assert gallery.model is None
    assert gallery.add(some_vectors(COUNT), some_columns(COUNT), model="m") == COUNT
    more = some_columns(COUNT + 1) | {"hat": True}
    assert gallery.add(some_vectors(COUNT + 1), more, model="m") == 1
    assert gallery.delete(key=f"crop-{COUNT}") == 1
    check_conditions(gallery)
    names = ["O'Brien", 'a"b', "x\\' OR 1==1", "100%", "好\n"]
    keys = [f"name {i}" for i in range(len(names))]
    gallery.add(some_vectors(len(names), seed=8), {"key": keys, "person": names}, model="m")
    for name in names:
        assert [row["person"] for row in gallery.search(some_vectors(1), person=name)[0]] == [name]
        assert gallery.delete(person=name) == 1
    with Gallery.open(f"{ADDRESS}/people") as other:
        assert other.add(some_vectors(1, seed=9), {"key": "z", "shoes": [3]}, model="m") == 1
    assert gallery.search(some_vectors(1, seed=9), 1)[0][0]["shoes"] == 3
    assert gallery.delete(key="z") == 1
    found = gallery.search(some_vectors(1), 3, rerank=20, min_similarity=0.1)[0]
    assert (found[0]["key"], found[0]["time"], found[0]["hat"]) == ("crop-0", START, None)
    assert gallery.export(f"{FOLDER}/all.parquet") == COUNT
    info = gallery.info()
    assert (info.rows, info.people, info.cameras, info.last) == (
        COUNT,
        5,
        ("0", "1", "2"),
        START + timedelta(minutes=COUNT - 1),
    )
    errors |= {
        "model": error_of(lambda: gallery.add(some_vectors(1), model="other")),
        "dim": error_of(lambda: gallery.search(np.ones(3))),
        "index": error_of(lambda: gallery.search(some_vectors(1), exact=False)),
        "limit": error_of(lambda: gallery.search(some_vectors(1), 20_000)),
        "refused": error_of(Gallery.open("http://127.0.0.1:9").count),
    }
    assert gallery.delete(person="person 1", older_than=START + timedelta(minutes=30)) == 6
    gallery.compact()
    assert gallery.count() == COUNT - 6
with Gallery.open(f"{ADDRESS}/copy") as copy:
    assert copy.add_dataset(f"{FOLDER}/all.parquet") == COUNT
    assert copy.add_dataset(f"{FOLDER}/all.parquet") == 0
    check_conditions(copy)

print(json.dumps({"errors": errors}))
