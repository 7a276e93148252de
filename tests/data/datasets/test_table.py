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


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("path;identity;camera\na/1.jpg;Bört;1\n;;\na/2.jpg;Bört;2;\n", "cp1252"),
        ("sep=;\r\nPath; Identity ;camera\r\na/1.jpg;Bört;1\r\na/2.jpg;Bört;2\r\n", "utf-8-sig"),
        ("path\tidentity\tcamera\na/1.jpg\tBört\t1\na/2.jpg\tBört\t2\n", "utf-16"),
        ("path,identity,camera\ra\\1.jpg,Bört,1\ra\\2.jpg,Bört,2\r", "utf-16-le"),
        (",path,identity,camera\n0,a/1.jpg,Bört,1\n1,a/2.jpg,Bört,2\n", "utf-8"),  # pandas
    ],
)
@pytest.mark.filterwarnings("ignore:.*is read as cp1252")
def test_ways_to_write_a_table(tmp_path, text, encoding):
    dataset = people_from_table(write_table(tmp_path, text, encoding=encoding))
    assert [(image.path, image.name, image.camera) for image in dataset.train] == [
        (tmp_path / "a/1.jpg", "Bört", 1),
        (tmp_path / "a/2.jpg", "Bört", 2),
    ]


def test_an_encoding_that_is_guessed_is_said(tmp_path):
    table = write_table(tmp_path, "path,identity\na/1.jpg,Bört\n", encoding="cp1252")
    with pytest.warns(UserWarning, match=r"people\.csv is not in UTF-8.*cp1252.*in line 2"):
        people_from_table(table)
    table.write_bytes(b"path,identity\na/1.jpg,B\x81rt\n")
    with pytest.raises(ValueError, match=r"not text in UTF-8, UTF-16 or cp1252\. Received: .*csv"):
        people_from_table(table)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a/1.jpg,007\nb/1.jpg,7\n", r"'007' in line 2 and '7' in line 3 of .*people\.csv"),
        ("a/1.jpg,7.0\nb/1.jpg,7\n", r"in one way. Received: '7\.0' in line 2 and '7' in line 3"),
        ("a/1.jpg,Jose\u0301\nb/1.jpg,Jos\xe9\n", r"in one way\. .* in line 2 and .* in line 3"),
        (
            "a/1.jpg,ann\na/../a/1.jpg,bob\n",
            r"agree in column `identity`.*'ann' in line 2 and 'bob'",
        ),
        (
            'a/1.jpg,ann\nb/1.jpg,"bob\n',
            r"CSV file is damaged: .*Received: line 3 of .*people\.csv",
        ),
        ("a/1.jpg,-1\n", r"junk only \(identity -1\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:Rows of identity -1")
def test_identities_that_are_not_clear(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        people_from_table(write_table(tmp_path, f"path,identity\n{rows}"))


def test_columns_that_are_there_twice(tmp_path):
    with pytest.raises(ValueError, match=r"different names\. Received: identity twice in .*csv"):
        people_from_table(write_table(tmp_path, "path,identity,Identity\na/1.jpg,1,2\n"))


def test_junk_leaves_numbers_as_they_are(tmp_path):
    table = write_table(
        tmp_path, "path,identity,camera\na/1.jpg,8,-1\na/2.jpg,-1,2\nb/1.jpg,12,1\n"
    )
    with pytest.warns(
        UserWarning, match=r"Rows of identity -1, junk.*: 1, .* in line 3 of .*people\.csv"
    ):
        dataset = people_from_table(table)
    assert dataset.identity_names == {8: "8", 12: "12"}
    assert [image.camera for image in dataset.train] == [-1, 1]


def test_rows_that_repeat_an_image(tmp_path):
    text = (
        "path,identity,split\na/1.jpg,1,train\na/1.jpg,1,train\nb/1.jpg,2,train\nb/1.jpg,2,query\n"
    )
    with (
        pytest.warns(UserWarning, match=r"Rows that repeat .*: 1, .* line 3 of .*people\.csv"),
        pytest.warns(
            UserWarning, match=r"Images are in two parts.*: 1, .*b/1\.jpg, in lines 4 and 5 of"
        ),
    ):
        dataset = people_from_table(write_table(tmp_path, text))
    assert (len(dataset.train), len(dataset.query)) == (2, 1)


def test_names_that_differ_in_capital_letters(tmp_path):
    table = write_table(tmp_path, "path,identity\na/1.jpg,Ann\nb/1.jpg,ann\n")
    with pytest.warns(UserWarning, match=r"'Ann' and 'ann' .* line 2 and line 3 of"):
        assert set(people_from_table(table).identity_names.values()) == {"Ann", "ann"}


def test_identities_that_are_no_numbers_of_64_bits(tmp_path):
    table = write_table(tmp_path, f"path,identity\na/1.jpg,{'9' * 30}\nb/1.jpg,{'8' * 5000}\n")
    assert set(people_from_table(table).identity_names) == {1, 2}


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
    with pytest.raises(ValueError, match=r"agree in column `hat`.*'0' in line 2 and '1' in line 3"):
        attributes_from_table(write_table(tmp_path, "path,hat\na/1.jpg,0\na/1.jpg,1\n"))
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
    columns = {"path": ["a/1.jpg", "b/1.jpg"], "identity": [3.0, float("nan")]}
    parquet.write_table(pyarrow.table(columns), table)
    with pytest.raises(ValueError, match=r"none for b/1\.jpg, line 2 of .*parquet"):
        people_from_table(table)
    table.write_bytes(table.read_bytes()[:50])
    with pytest.raises(
        ValueError, match=r"Cannot read the Parquet file: .*Received: .*people\.par"
    ):
        people_from_table(table)
