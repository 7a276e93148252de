"""Adding, searching and conditions, beside plain numpy."""

from datetime import timedelta

import numpy as np
import pytest
from gallery_rows import START, some_columns, some_vectors

from keras_osnet.gallery import Gallery, average_tracklets

pytest.importorskip("lance", reason="the extra `gallery` is not installed")
pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

COUNT = 60


@pytest.fixture
def filled(gallery):
    columns = some_columns(COUNT)
    assert gallery.add(some_vectors(COUNT), columns, model="m") == COUNT
    return gallery


def ranked(vectors, query, rows):
    """Return the given rows by falling cosine similarity, of the vectors as they are stored."""
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    units = units.astype(np.float16).astype(np.float64)
    similarity = units @ query / np.linalg.norm(units, axis=1) / np.linalg.norm(query)
    order = sorted(rows, key=lambda row: -similarity[row])
    return [f"crop-{row}" for row in order], similarity[order]


def test_search_is_that_of_plain_numpy(filled):
    vectors = some_vectors(COUNT)
    queries = some_vectors(3, seed=9)
    result = filled.search(queries, COUNT)
    assert len(result) == 3
    for query, rows in zip(queries, result, strict=True):
        _, similarity = ranked(vectors, query, range(COUNT))
        found = np.array([row["similarity"] for row in rows])
        assert len({row["key"] for row in rows}) == COUNT
        np.testing.assert_allclose(found, similarity, atol=2e-3)
        assert (np.diff(found) <= 0).all()


@pytest.mark.parametrize(
    ("conditions", "meets"),
    [
        ({"not_camera": 0}, lambda i: i % 3 != 0),
        ({"not_camera": [0, "1"]}, lambda i: i % 3 == 2),
        ({"camera": 1, "site": "north"}, lambda i: i % 3 == 1 and i % 2),
        ({"person": ["person 1", "person 4"]}, lambda i: i % 5 in (1, 4)),
        ({"after": START + timedelta(minutes=50)}, lambda i: i >= 50),
        ({"before": "2026-11-27T15:10+01:00"}, lambda i: i < 10),
        ({"after": "2026-11-27T14:05Z", "before": "2026-11-27T14:06Z"}, lambda i: i == 5),
        ({"camera": 7}, lambda i: False),
    ],
)
def test_conditions_come_before_the_search(filled, conditions, meets):
    query = some_vectors(1, seed=3)[0]
    expected, _ = ranked(some_vectors(COUNT), query, [i for i in range(COUNT) if meets(i)])
    found = [row["key"] for row in filled.search(query, 5, **conditions)[0]]
    assert len(found) == min(5, len(expected))
    assert set(found) <= set(expected)
    assert found[:1] == expected[:1]
    if "not_camera" not in conditions:
        assert filled.count(**conditions) == len(expected)


def test_rows_whose_camera_or_time_is_not_known(gallery):
    gallery.add(np.eye(3), {"key": ["a", "b", "c"], "camera": [1, 2, None]}, model="m")
    assert [row["key"] for row in gallery.search([1, 1, 1], not_camera=1)[0]] in (
        ["b", "c"],
        ["c", "b"],
    )
    assert gallery.search([1, 1, 1], after=START)[0] == []
    assert gallery.delete(older_than=START) == 0


def test_empty_texts_are_no_names(gallery):
    gallery.add(np.eye(3), {"person": ["Ann", "", None], "camera": ["", "1", "2"]}, model="m")
    assert gallery.read(["person"])["person"].to_pylist().count(None) == 2
    assert (gallery.info().people, gallery.info().cameras) == (1, ("1", "2"))


def test_names_with_quotes_are_names(gallery):
    names = ["O'Brien", "x' OR '1'='1", '"; DROP TABLE people; --', "Ann", "100%", "a\\b", "好"]
    gallery.add(some_vectors(len(names)), {"person": names}, model="m")
    for name in names:
        rows = gallery.search(some_vectors(1)[0], 10, person=name)[0]
        assert [row["person"] for row in rows] == [name]
    assert gallery.delete(person="x' OR '1'='1") == 1
    assert gallery.count() == len(names) - 1


def test_nobody_is_near_enough(filled):
    own = some_vectors(COUNT)[7]
    result = filled.search(np.stack([own, -own]), min_similarity=0.99)
    assert [row["key"] for row in result[0]] == ["crop-7"]
    assert result[1] == []
    assert "Nobody is near enough: 1 of 2 queries." in str(result)


def test_results_as_table_dicts_and_arrow(filled):
    result = filled.search(some_vectors(2), 2)
    table = result.to_arrow()
    assert table.column_names[:2] == ["query", "similarity"]
    assert "vector" not in table.column_names
    assert table["query"].to_pylist() == [0, 0, 1, 1]
    rows = result.to_dicts()
    assert (rows[1][0]["key"], rows[1][0]["camera"]) == ("crop-1", "1")
    assert rows[1][0]["time"] == START + timedelta(minutes=1)
    lines = str(result).splitlines()
    assert lines[0].split() == ["query", "rank", "similarity", "person", "camera", "site", "time"]
    assert lines[1].split()[:3] == ["0", "1", "1.000"]


def test_keys_are_added_once_and_columns_may_come_later(filled):
    columns = some_columns(COUNT + 2) | {"hat": [True] * (COUNT + 2)}
    assert filled.add(some_vectors(COUNT + 2), columns, model="m") == 2
    assert filled.count() == COUNT + 2
    assert filled.read(["hat"])["hat"].to_pylist().count(True) == 2
    assert filled.add(some_vectors(1, seed=5), model="m") == 1, "without the new column"


def test_rows_without_keys_are_added_once_too(gallery):
    vectors, cameras = np.eye(3, 16), {"camera": [1, 2, 3]}
    assert gallery.add(vectors, cameras, model="m") == 3
    assert gallery.add(vectors, cameras, model="m") == 0
    assert gallery.add(vectors, {"camera": 9}, model="m") == 3


@pytest.mark.parametrize("form", ["dict", "table", "dicts"])
def test_forms_of_columns(gallery, form):
    columns = {"key": ["a", "b"], "camera": ["1", None], "box": [[0, 1, 2.5, 3], None]}
    columns["time"] = [START, None]
    given = {
        "dict": columns,
        "table": pa.table(columns | {"time": pa.array(columns["time"], pa.timestamp("ms", "CET"))}),
        "dicts": [{name: column[i] for name, column in columns.items()} for i in range(2)],
    }[form]
    gallery.add(np.eye(2), given, model="m")
    rows = gallery.read(list(columns)).to_pylist()
    assert rows == [{name: column[i] for name, column in columns.items()} for i in range(2)]


@pytest.mark.parametrize(
    ("vectors", "columns", "message"),
    [
        (np.ones((2, 16)), {"time": ["2026-11-27T14:00", None]}, "`time` must have a time zone"),
        (np.ones((1, 16)), {"time": np.array(["2026-11-27"], "M8[s]")}, "`time` must have a time"),
        (np.ones((1, 16)), {"time": ["yesterday"]}, "`time` must be a datetime.*'yesterday'"),
        (np.ones((2, 16)), {"camera": [1]}, "a value for every vector. Received: 1 values, 2 v"),
        (np.ones((2, 16)), {"key": ["a", "a"]}, "`key` must be another text in every row.*'a'"),
        (np.ones((1, 16)), {"camera": [1.5]}, "`camera` must be text or whole numbers"),
        (np.ones((1, 16)), {"box": [[1, 2, 3]]}, "`box` must be left, top, right, bottom"),
        (np.ones((1, 16)), {"similarity": [1]}, "must not be called.*'similarity'"),
        (np.ones((1, 16)), {"site": ["\ud800"]}, "values of one type.*'site'"),
        (np.ones((1, 16)), "camera", "`columns` must be a dict"),
        (np.zeros((1, 16)), None, "`vectors` must not be zero.*row 0"),
        (np.full((1, 16), np.nan), None, "`vectors` must be finite"),
        (np.ones((1, 15)), None, "`vectors` must have 16 numbers each.*Received: 15"),
        (np.ones((1, 16)), {"hat": [["x"]]}, "hat is bool there. Received: list"),
    ],
)
def test_what_cannot_be_added(gallery, vectors, columns, message):
    gallery.add(np.eye(1, 16), {"hat": True}, model="m")
    with pytest.raises(ValueError, match=message):
        gallery.add(vectors, columns, model="m")
    assert gallery.count() == 1


def test_vectors_of_another_model_are_refused(filled):
    for call in (
        lambda: filled.add(some_vectors(1), model="other"),
        lambda: filled.search(some_vectors(1), model="other"),
    ):
        with pytest.raises(ValueError, match=r"different models cannot be compared.*other.* has m"):
            call()
    assert filled.search(some_vectors(1), 1, model="m")[0]
    with pytest.raises(ValueError, match="`model` must be the digest"):
        filled.add(some_vectors(1), model="")


def test_export_and_data_sets(filled, tmp_path):
    file = tmp_path / "vectors.parquet"
    assert filled.export(file) == COUNT
    steps = []
    with Gallery.open(tmp_path / "copy.lance") as copy:
        assert copy.add_dataset(file, progress=steps.append) == COUNT
        assert copy.add_dataset(tmp_path) == 0, "the folder holds the same file"
        assert copy.read().sort_by("key").equals(filled.read().sort_by("key"))
    assert steps == [COUNT]
    parquet.write_table(pa.table({"key": ["a"]}), tmp_path / "vectors.parquet")
    with pytest.raises(ValueError, match=r"vectors\.parquet must have.*without model, vector"):
        filled.add_dataset(file)
    file.write_bytes(b"PAR1")
    with pytest.raises(OSError, match=r"could not be read.*vectors\.parquet"):
        filled.add_dataset(file)


@pytest.mark.parametrize(
    ("extra", "source"),
    [({"path": ["b.jpg"]}, "b.jpg"), ({"video": ["c.mp4"]}, "c.mp4"), ({}, "a")],
)
def test_the_source_of_rows_of_a_data_set(gallery, tmp_path, extra, source):
    vectors = pa.array([[0.0, 1.0]], pa.list_(pa.float32(), 2))
    content = pa.table({"key": ["a"], "vector": vectors, "model": ["m"], "camera": [3], **extra})
    parquet.write_table(content, tmp_path / "part-0.parquet")
    (tmp_path / "_unreadable").mkdir()
    parquet.write_table(pa.table({"key": ["z"]}), tmp_path / "_unreadable" / "part-0.parquet")
    assert (gallery.add_dataset(tmp_path), gallery.add_dataset(tmp_path)) == (1, 0)
    assert gallery.search([0, 1])[0][0]["source"] == source


def test_files_of_the_same_name_in_two_folders_are_two_rows(gallery, tmp_path):
    for place in ("entrance", "yard"):
        vectors = pa.array([[0.0, 1.0]], pa.list_(pa.float32(), 2))
        path = [f"/{place}/0001.jpg"]
        content = pa.table({"key": ["0001.jpg"], "vector": vectors, "model": ["m"], "path": path})
        parquet.write_table(content, tmp_path / f"{place}.parquet")
        assert gallery.add_dataset(tmp_path / f"{place}.parquet") == 1
    assert gallery.count() == 2


def test_clusters_of_unknown_people(gallery):
    people = np.eye(6, 16).repeat(8, axis=0) + 0.01 * some_vectors(48)
    names = [f"crop {i}" for i in range(47)] + ["alone"]
    people[47] = -1
    gallery.add(people, {"source": names, "camera": [i // 8 for i in range(48)]}, model="m")
    gallery.add(people[:8], {"person": "Ann"}, model="m")
    groups = gallery.cluster()
    assert [len(group) for group in groups] == [8, 8, 8, 8, 8, 7]
    assert {row["source"] for row in groups[-1]} == {f"crop {i}" for i in range(40, 47)}
    for group in groups:
        assert len({row["camera"] for row in group}) == 1
    assert len(gallery.cluster(camera=[0, 1])) == 2
    assert gallery.cluster(site="nowhere") == []


def test_info(filled):
    info = filled.info()
    assert (info.rows, info.dim, info.model, info.people) == (COUNT, 16, "m", 5)
    assert (info.cameras, info.sites, info.indexed) == (("0", "1", "2"), ("north", "south"), None)
    assert (info.first, info.last) == (START, START + timedelta(minutes=COUNT - 1))
    assert info.bytes > COUNT * 16 * 2
    assert filled.model == "m"


def test_reranking_the_most_similar(filled):
    query = some_vectors(1, seed=4)
    nearest = {row["key"] for row in filled.search(query, 40)[0]}
    reranked = [row["key"] for row in filled.search(query, 40, rerank=40)[0]]
    assert set(reranked) == nearest
    assert [row["key"] for row in filled.search(query, 3, rerank=40)[0]] == reranked[:3]


def test_approximate_search_needs_an_index(gallery):
    gallery.add(some_vectors(300), model="m")
    with pytest.raises(ValueError, match=r"`exact` must be True.*`build_index`"):
        gallery.search(some_vectors(1), exact=False)
    assert 0.5 < gallery.build_index() <= 1
    assert gallery.info().indexed == 300
    own = gallery.search(some_vectors(1), 1, exact=False)[0][0]
    assert own["similarity"] == pytest.approx(1, abs=1e-3)
    gallery.add(some_vectors(20, seed=8), model="m")
    found = gallery.search(some_vectors(20, seed=8), 1, exact=False)
    assert min(rows[0]["similarity"] for rows in found) > 0.99, "rows that are not indexed yet"
    gallery.compact()
    assert gallery.info().indexed == 320


def test_tracklets(gallery):
    vectors = np.concatenate([np.eye(2, 16), np.eye(2, 16) * 5])
    means, columns = average_tracklets(vectors, ["a", "b", "a", "a"], {"camera": [1, 2, 1, 1]})
    np.testing.assert_allclose(means[1], np.eye(2, 16)[1])
    np.testing.assert_allclose(means[0][:2], [2 / 5**0.5, 1 / 5**0.5], rtol=1e-6)
    gallery.add(means, columns, model="m")
    assert gallery.read(["tracklet", "camera", "crops"]).to_pylist() == [
        {"tracklet": "a", "camera": "1", "crops": 3},
        {"tracklet": "b", "camera": "2", "crops": 1},
    ]


def test_tracklets_of_every_kind():
    """In any order of labels, and columns by place: those of pandas are indexed by their own."""

    class Column:
        def __iter__(self):
            return iter([7, 8, 9])

    vectors = np.eye(3)
    for tracklets in ([5, 2, 5], np.array([5, 2, 5]), ("z", "a", "z")):
        means, columns = average_tracklets(vectors, tracklets, {"time": Column()})
        np.testing.assert_allclose(means, [[0.5**0.5, 0, 0.5**0.5], [0, 1, 0]], rtol=1e-6)
        assert columns == {"tracklet": list(tracklets[:2]), "time": [7, 8], "crops": [2, 1]}
    for wrong in ([None, 1, None], [1.0, 2.0, float("nan")], [True, False, True]):
        with pytest.raises(TypeError, match="`tracklets` must hold integers or strings"):
            average_tracklets(vectors, wrong)
    for wrong in (None, 3, iter("aba"), [[1], [2], [1]], ["a", "b"]):
        with pytest.raises(ValueError, match=r"`tracklets` must have shape \(3,\)"):
            average_tracklets(vectors, wrong)
    for column in ([1, 2], None, 3):
        with pytest.raises(ValueError, match="`time` of `columns` must have a value for every"):
            average_tracklets(vectors, [1, 2, 1], {"time": column})
    with pytest.raises(ValueError, match=r"`columns` must be a dictionary. Received: list"):
        average_tracklets(vectors, [1, 2, 1], [[1, 2, 3]])


def test_vectors_that_are_no_numbers(gallery):
    masked = np.ma.masked_array(np.eye(2), [[0, 0], [0, 1]])
    for vectors, problem in ((masked, "masked values"), ([[1, 2], [3]], "a list of rows of one")):
        with pytest.raises(ValueError, match=f"`vectors` must .*{problem}"):
            average_tracklets(vectors, [1, 2])
        with pytest.raises(ValueError, match=f"`vectors` must .*{problem}"):
            gallery.add(vectors, model="m")


def test_places_without_a_gallery(tmp_path):
    absent = Gallery.open(tmp_path / "absent.lance")
    for call in (
        absent.count,
        absent.info,
        absent.compact,
        absent.build_index,
        lambda: absent.delete(person="Ann"),
        lambda: absent.search(np.ones(3)),
        lambda: absent.export(tmp_path / "x.parquet"),
    ):
        with pytest.raises(FileNotFoundError, match="There is no gallery yet"):
            call()
    assert absent.model is None
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "photo.jpg").touch()
    for place in (tmp_path, tmp_path / "photo.jpg"):
        with pytest.raises(OSError, match="This is not a gallery"):
            Gallery.open(place).add(np.eye(1), model="m")
    for uri in ("ftp://host/x", "", 3):
        with pytest.raises(ValueError, match="`uri` must be"):
            Gallery.open(uri)


def test_a_path_with_any_characters(tmp_path):
    with Gallery.open(tmp_path / "a b#%20'ü.lance") as gallery:
        gallery.add(np.eye(2), model="m")
        assert gallery.count() == 2
    assert [each.name for each in tmp_path.iterdir()] == ["a b#%20'ü.lance"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"limit": 0},
        {"limit": 10, "rerank": 9},
        {"min_similarity": 2},
        {"exact": 1},
        {"person": []},
        {"camera": 1.5},
        {"after": "2026-11-27T14:00"},
        {"after": "2026-11-27T14:00Z", "before": "2026-11-27T14:00Z"},
    ],
)
def test_arguments_of_search(filled, arguments):
    with pytest.raises(ValueError, match=f"`{next(iter(arguments))}`|`rerank`"):
        filled.search(some_vectors(1), **arguments)
