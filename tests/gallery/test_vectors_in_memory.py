"""Searches that find the vectors in memory, beside those that read them from the files."""

import threading

import numpy as np
import pytest
from gallery_rows import START, some_columns, some_vectors

from keras_osnet.gallery import Gallery

pytest.importorskip("lance", reason="the extra `gallery` is not installed")
lance_vectors = pytest.importorskip("keras_osnet.gallery.lance_vectors")

COUNT = 300


@pytest.fixture
def filled(gallery):
    gallery.add(some_vectors(COUNT), some_columns(COUNT), model="m")
    return gallery


def in_memory(gallery):
    return sum(len(each) for each in gallery._store._vectors._kept.values())


def from_files(gallery, *args, **conditions):
    with Gallery.open(gallery.uri) as other:
        found = other.search(*args, **conditions).to_arrow()
        assert in_memory(other) == 0
    return found


@pytest.mark.parametrize(
    "conditions", [{}, {"not_camera": 1}, {"person": "person 3"}, {"after": START}, {"camera": 9}]
)
def test_results_are_the_same(filled, conditions):
    filled.search(some_vectors(1), 3)
    filled.search(some_vectors(1), 3)
    assert in_memory(filled) == COUNT
    queries = some_vectors(4, seed=5)
    found = filled.search(queries, 20, **conditions).to_arrow()
    assert found.equals(from_files(filled, queries, 20, **conditions))


def test_what_others_write_is_found(filled):
    def check():
        filled.search(some_vectors(2), 5)
        queries = np.concatenate([some_vectors(2), some_vectors(1, seed=1)])
        found = filled.search(queries, 5).to_arrow()
        assert found.equals(from_files(filled, queries, 5))
        return found["key"].to_pylist()

    check()
    with Gallery.open(filled.uri) as other:
        other.add(some_vectors(50, seed=1), {"hat": True}, model="m")
        check()
        assert in_memory(filled) == COUNT + 50
        other.delete(key="crop-0")
        assert "crop-0" not in check()
        assert in_memory(filled) == COUNT + 50
        other.compact()
        assert "crop-0" not in check()
        assert in_memory(filled) == COUNT + 49, "of files that are no longer there nothing is kept"
    filled.close()
    assert in_memory(filled) == 0


def test_equal_vectors_are_in_the_order_in_which_they_were_added(gallery):
    keys = [f"{i:02}" for i in range(30)]
    for part in (slice(0, 13), slice(13, 30)):
        gallery.add(np.ones((len(keys[part]), 16)), {"key": keys[part]}, model="m")
    for _ in range(2):
        found = gallery.search(np.ones(16), 20)[0]
        assert [row["key"] for row in found] == keys[:20]


def test_memory_is_bounded(filled, monkeypatch):
    expected = filled.search(some_vectors(2), 5).to_arrow()
    monkeypatch.setattr(lance_vectors, "_KEPT", COUNT * 16 * 4 - 1)
    assert filled.search(some_vectors(2), 5).to_arrow().equals(expected)
    assert in_memory(filled) == 0


def test_searches_in_few_rows_read_only_those(filled):
    for _ in range(3):
        filled.search(some_vectors(1), before=START.replace(hour=15))
    assert in_memory(filled) == 0


def test_many_queries_are_searched_in_memory_at_once(filled):
    found = filled.search(some_vectors(COUNT), 1)
    assert [row[0]["key"] for row in found] == [f"crop-{i}" for i in range(COUNT)]
    assert in_memory(filled) == COUNT


def test_threads_search_while_another_writes(filled):
    vectors, errors, searches = some_vectors(COUNT), [], []
    done = threading.Event()

    def search():
        while not done.is_set():
            number = 100 + len(searches) % 200
            try:
                (rows,) = filled.search(vectors[number], 1)
                assert rows[0]["key"] == f"crop-{number}"
            except BaseException as error:
                errors.append(error)
            searches.append(number)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(5):
            filled.add(some_vectors(5, seed=number + 1), model="m")
            filled.delete(key=f"crop-{number}")
            filled.compact()
            assert filled.info().rows == len(filled.read(["key"]))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert searches
    assert errors == []
