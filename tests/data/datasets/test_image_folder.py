"""Users' own folders and tables, and datasets made from others."""

import sys
from collections import Counter
from pathlib import Path

import miniature_datasets as miniature
import numpy as np
import pytest

from keras_osnet.data import (
    ReidDataset,
    attributes_from_table,
    camera_labels,
    combineall,
    identity_folders,
    identity_labels,
    merge_datasets,
    people_from_table,
    read_dataset,
    split_by_identity,
)
from keras_osnet.data.records import PersonImage


def people(identities, cameras, views):
    """Images of everybody under every camera; without cameras if these are None."""
    return [
        PersonImage(Path(f"{identity}_{camera}_{view}.jpg"), identity, camera)
        for identity in range(1, identities + 1)
        for camera in cameras
        for view in range(views)
    ]


def test_identity_folders(tmp_path):
    miniature.touch(
        tmp_path, "bob/cam2_7.png", "anna/cam1/1.jpg", "anna/cam12/2.jpg", "anna/notes.txt"
    )
    expected = [("1.jpg", 1), ("2.jpg", 1), ("cam2_7.png", 2)]
    found = identity_folders(tmp_path)
    assert sorted((i.path.name, i.identity) for i in found) == expected
    assert camera_labels(found) is None
    found = identity_folders(tmp_path, camera_pattern=r"cam(\d+)")
    assert sorted(camera_labels(found).tolist()) == [1, 2, 12]
    assert identity_labels(found).tolist() == [1, 1, 2]
    assert ReidDataset("own", tuple(found)).identity_names == {1: "anna", 2: "bob"}

    with pytest.raises(ValueError, match=r"`camera_pattern` 'c_\(.*Received: cam1"):
        identity_folders(tmp_path, camera_pattern=r"c_(\d)")
    (tmp_path / "group.jpg").touch()
    with pytest.raises(ValueError, match=r"sub-folder for each person.*1 images .* group\.jpg"):
        identity_folders(tmp_path)
    with pytest.raises(NotADirectoryError, match="Received"):
        identity_folders(tmp_path / "group.jpg")


@pytest.mark.parametrize("seed", range(3))
def test_split_by_identity_with_cameras(seed):
    images = people(10, cameras=(1, 2), views=3)
    dataset = split_by_identity(images, 0.4, seed=seed)
    assert dataset == split_by_identity(images, 0.4, seed=seed)
    assert dataset != split_by_identity(images, 0.4, seed=seed + 1)
    assert dataset.counts["train_identities"] == 6
    assert set(dataset.train) | set(dataset.query) | set(dataset.gallery) == set(images)
    assert dataset.counts["images"] == len(images)
    assert Counter(i.identity for i in dataset.query) == dict.fromkeys(
        {i.identity for i in dataset.gallery}, 2
    )
    assert {i.identity for i in dataset.query}.isdisjoint(dataset.train_identities)


def test_every_query_has_a_match_under_another_camera():
    rng = np.random.default_rng(0)
    images = [
        PersonImage(Path(f"{number}.jpg"), int(rng.integers(1, 40)), int(rng.integers(1, 4)))
        for number in range(150)
    ]
    for seed in range(5):
        dataset = split_by_identity(images, 0.5, seed=seed)
        assert set(dataset.query).isdisjoint(dataset.gallery)
        for query in dataset.query:
            assert any(
                image.identity == query.identity and image.camera != query.camera
                for image in dataset.gallery
            )
        seen_twice = {
            i.identity
            for i in dataset.gallery
            if len({o.camera for o in images if o.identity == i.identity}) > 1
        }
        assert {i.identity for i in dataset.query} == seen_twice


def test_split_by_identity_without_cameras():
    dataset = split_by_identity([*people(6, (None,), 3), PersonImage(Path("x.jpg"), 99, None)], 0.5)
    held_out = {i.identity for i in dataset.gallery}
    assert Counter(i.identity for i in dataset.query) == dict.fromkeys(held_out - {99}, 1)
    with pytest.raises(ValueError, match=r"two images\. Received: 4 images of 4 people"):
        split_by_identity(people(4, (None,), 1))
    with pytest.raises(ValueError, match=r"under different cameras\. Received: 8 images"):
        split_by_identity(people(4, (1,), 2))
    for fraction in (0.0, 1.0, 0.01):
        with pytest.raises(ValueError, match=rf"both sides\. Received: {fraction} of 4 people"):
            split_by_identity(people(4, (1, 2), 2), fraction)


def test_combineall(tmp_path):
    miniature.market1501(tmp_path)
    dataset = read_dataset("market1501", tmp_path, check=False)
    combined = combineall(dataset)
    assert combined.train_identities == (1, 2, 3, 7)
    assert len(combined.train) == len(dataset.train) + 2 + 3  # without the distractor
    assert (combined.query, combined.gallery) == (dataset.query, dataset.gallery)

    miniature.msmt17(tmp_path / "msmt")
    dataset = read_dataset("msmt17", tmp_path / "msmt", check=False)
    combined = combineall(dataset)
    assert set(combined.train) == set(dataset.all_images)
    assert combined.counts["train_identities"] == dataset.counts["identities"] == 4
    assert combined.validation == ()


def test_combineall_takes_images_that_are_query_and_gallery_once():
    test = tuple(people(2, (1, 2), 1))
    train = (PersonImage(Path("train.jpg"), 7, 1),)
    assert len(combineall(ReidDataset("classic", train, test, test)).train) == 5


def test_mix_keeps_people_and_cameras_apart():
    one = ReidDataset("one", tuple(people(3, (1, 4), 1)), query=tuple(people(2, (1,), 1)))
    held_back = PersonImage(Path("val.jpg"), 2, 9, name="val")
    two = ReidDataset("two", tuple(people(2, (1,), 2)), validation=(held_back,))
    three = ReidDataset("three", tuple(people(1, (None,), 2)))
    mixed = merge_datasets([one, two, three])
    assert mixed.name == "one+two+three"
    assert (mixed.query, mixed.gallery) == ((), ())
    assert identity_labels(mixed.train).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert mixed.train_labels.tolist() == identity_labels(mixed.train).tolist()
    assert [i.camera for i in mixed.train] == [1, 2, 1, 2, 1, 2, 3, 3, 3, 3, None, None]
    assert mixed.validation == (PersonImage(Path("val.jpg"), 4, 4),)
    assert mixed.identity_names[4] == "val"
    assert mixed.identity_names[5] == "5"
    with pytest.raises(ValueError, match="Received: none"):
        merge_datasets([])


def write_table(folder, text, name="people.csv", encoding="utf-8"):
    miniature.touch(folder, "a/1.jpg", "a/2.jpg", "b/1.jpg")
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


def test_people_from_table(tmp_path):
    table = write_table(
        tmp_path,
        "path,identity,camera,split,hat\n"
        "a/1.jpg,bob,entrance,train,1\n"
        f"{tmp_path / 'a/2.jpg'},anna,,query,0\n\n"
        "b/1.jpg,anna,back door,gallery,0\n",
        encoding="utf-8-sig",
    )
    dataset = people_from_table(table)
    assert dataset.name == "people"
    assert dataset.identity_names == {1: "anna", 2: "bob"}
    assert dataset.train == (PersonImage(tmp_path / "a/1.jpg", 2, 2),)
    assert dataset.query == (PersonImage(tmp_path / "a/2.jpg", 1, None),)
    assert dataset.gallery == (PersonImage(tmp_path / "b/1.jpg", 1, 1),)

    dataset = people_from_table(write_table(tmp_path, "identity,path\n0,a/1.jpg\n30,b/1.jpg\n"))
    assert dataset.train_identities == (0, 30)
    assert dataset.identity_names == {0: "0", 30: "30"}
    assert dataset.distractors == frozenset()  # 0 is a number like others, but in Market-1501
    assert camera_labels(dataset.train) is None
    dataset = people_from_table(
        write_table(tmp_path, "path,identity,camera,split\na/1.jpg,1,3,val\na/2.jpg,1,3,validation")
    )
    assert len(dataset.validation) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"columns path, identity\. Received: none"),
        ("path,person\na/1.jpg,1\n", r"columns path, identity\. Received: path, person in"),
        ("path,identity\n", "no rows"),
        ("path,identity\na/1.jpg\n", r"2 values.*Received: \['a/1\.jpg'\]"),
        ("path,identity\na/1.jpg,\n", r"`identity` must.*Received: none for a/1\.jpg"),
        ("path,identity,split\na/1.jpg,1,test\n", r"`split` must be one of train,.*'test' in"),
    ],
)
def test_people_tables_that_are_wrong(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        people_from_table(write_table(tmp_path, text))


def test_tables_of_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`path` must be a file\. Received"):
        people_from_table(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"1 of the 2 files .*c/9\.jpg.*people\.csv"):
        people_from_table(write_table(tmp_path, "path,identity\na/1.jpg,1\nc/9.jpg,2\n"))


def test_attributes_from_table(tmp_path):
    table = write_table(
        tmp_path,
        "path,identity,hat,split,bag\na/1.jpg,x,1,train,0\nb/1.jpg,y,0,test,True\n",
    )
    dataset = attributes_from_table(table)
    assert dataset.attribute_names == ("hat", "bag")
    assert dataset.train.paths == (tmp_path / "a/1.jpg",)
    assert dataset.train.attributes.tolist() == [[1, 0]]
    assert dataset.test.attributes.tolist() == [[0, 1]]
    assert dataset.validation.attributes.shape == (0, 2)
    with pytest.raises(ValueError, match=r"0 or 1\. Received: hat='2' for a/1\.jpg"):
        attributes_from_table(write_table(tmp_path, "path,hat\na/1.jpg,2\n"))
    with pytest.raises(ValueError, match=r"columns besides path, .*Received: .*people\.csv"):
        attributes_from_table(write_table(tmp_path, "path,identity\na/1.jpg,2\n"))


def test_parquet(tmp_path, monkeypatch):
    table = write_table(tmp_path, "", name="people.parquet")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pyarrow.parquet", None)
        with pytest.raises(ImportError, match=r"Parquet files needs pyarrow.*osnet\[parquet\]"):
            people_from_table(table)
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"path": ["a/1.jpg", "b/1.jpg"], "identity": [3, 5], "camera": [2, None]}
    parquet.write_table(pyarrow.table({**columns, "hat": [True, False]}), table)
    assert people_from_table(table).train == (
        PersonImage(tmp_path / "a/1.jpg", 3, 2),
        PersonImage(tmp_path / "b/1.jpg", 5, None),
    )
    assert attributes_from_table(table).train.attributes.tolist() == [[1], [0]]
