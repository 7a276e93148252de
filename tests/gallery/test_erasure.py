"""Retention and erasure: after `compact`, no file holds what was deleted."""

from datetime import timedelta

import numpy as np
import pytest
from gallery_rows import START, some_vectors

pytest.importorskip("lance", reason="the extra `gallery` is not installed")


def holders(folder, content):
    """Return the files that hold some bytes."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert files
    return [file.name for file in files if content in file.read_bytes()]


def traces(gallery, vectors, names):
    """Return the files that hold any of the vectors or the names."""
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    contents = [unit.astype(np.float16).tobytes() for unit in units]
    contents += [name.encode() for name in names]
    return [file for each in contents for file in holders(_folder(gallery), each)]


def _folder(gallery):
    from pathlib import Path

    return Path(gallery.uri)


@pytest.fixture
def names():
    return [f"Wilhelmina-{i:03}-Oberhauser" for i in range(100)]


@pytest.fixture
def vectors():
    return some_vectors(100, dim=64)


@pytest.fixture
def filled(gallery, names, vectors):
    times = [START + timedelta(days=i) for i in range(len(names))]
    for part in (slice(0, 60), slice(60, 100)):
        gallery.add(
            vectors[part],
            {"person": names[part], "time": times[part], "key": names[part]},
            model="m",
        )
    for vector, name in zip(vectors, names, strict=True):
        assert traces(gallery, vector[None], [name]), "the test finds what is there"
    return gallery


def test_one_person_of_many(filled, vectors, names):
    """Of a fragment with few deleted rows, Lance itself would keep the file as it is."""
    assert filled.delete(person=names[17]) == 1
    assert traces(filled, vectors[17:18], [names[17]]), "still on the disk until `compact`"
    filled.compact()
    assert traces(filled, vectors[17:18], [names[17]]) == []
    assert traces(filled, vectors[18:19], [names[18]])
    assert filled.count() == 99


def test_a_time_of_retention(filled, vectors, names):
    assert filled.delete(older_than=START + timedelta(days=60)) == 60
    filled.compact()
    assert traces(filled, vectors[:60], names[:60]) == []
    assert traces(filled, vectors[60:61], [names[60]])
    assert filled.delete(older_than=timedelta(days=365 * 1000)) == 0, "an age"


def test_everybody(filled, vectors, names):
    """The condition of the last deletion holds the names, too."""
    assert filled.delete(person=names) == 100
    filled.compact()
    assert traces(filled, vectors, names) == []
    assert filled.count() == 0
    assert filled.add(vectors[:1], model="m") == 1


def test_by_keys_that_a_search_found(filled, vectors, names):
    found = [row["key"] for row in filled.search(vectors[5], 3)[0]]
    assert filled.delete(key=found) == 3
    filled.compact()
    rows = [names.index(key) for key in found]
    assert traces(filled, vectors[rows], found) == []


def test_the_index_forgets_too(gallery):
    vectors = some_vectors(300, dim=64)
    gallery.add(vectors, {"person": [f"Wilhelmina-{i:03}" for i in range(300)]}, model="m")
    gallery.build_index()
    gallery.delete(person="Wilhelmina-123")
    gallery.compact()
    assert traces(gallery, vectors[123:124], ["Wilhelmina-123"]) == []
    assert gallery.info().indexed == 299
    assert gallery.search(vectors[123], 1, exact=False)[0][0]["similarity"] < 0.9


def test_leftovers_of_a_killed_writer(filled):
    left = _folder(filled) / "data" / "0123456789abcdef.lance"
    left.write_bytes(b"a writer was killed")
    filled.compact()
    assert left.exists(), "it could be of a writer that is at work"
    filled.compact(alone=True)
    assert not left.exists()


def test_deletion_needs_a_condition(filled):
    with pytest.raises(ValueError, match="Give `older_than`, `person` or `key`"):
        filled.delete()
    for conditions, message in (
        ({"older_than": "2026-11-27"}, "`older_than` must have a time zone"),
        ({"older_than": timedelta(-1)}, "`older_than` must not be negative"),
        ({"person": []}, "`person`"),
    ):
        with pytest.raises(ValueError, match=message):
            filled.delete(**conditions)
    assert filled.count() == 100
