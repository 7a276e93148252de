"""Users' own images in tables."""

import sys

import miniature_datasets as miniature
import pytest

from keras_osnet.data import PersonImage, attributes_from_table, people_from_table
from keras_osnet.data.records import camera_labels


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
