"""Users' own images in folders."""

import re

import miniature_datasets as miniature
import pytest

from keras_osnet.data import PersonImage, ReidDataset, read_people
from keras_osnet.data.datasets.image_folder import identity_folders
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.data.records import camera_labels, identity_labels


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


def rows(dataset):
    return [(image.path.name, image.identity, image.camera) for image in dataset.train]


def test_a_folder_for_each_person(tmp_path):
    folder = tmp_path / "crops"
    miniature.touch(folder, "anna/cam1/1.jpg", "anna/cam2/2.jpg", "bob/cam2_7.png", "notes.txt")
    dataset = read_people(folder)
    assert dataset.name == "crops"
    assert dataset.train == tuple(identity_folders(folder))
    assert (dataset.query, dataset.gallery, dataset.distractors) == ((), (), frozenset())
    dataset = read_people(folder, camera_pattern=r"cam(\d)")
    assert rows(dataset) == [("1.jpg", 1, 1), ("2.jpg", 1, 2), ("cam2_7.png", 2, 2)]


def test_names_of_market1501(tmp_path, monkeypatch):
    miniature.touch(
        tmp_path, "0002_c1s1_000451_03.jpg", "0007_c3.png", "-1_c1s1_1.jpg", "0000_c2s1.jpg"
    )
    with (
        pytest.warns(UserWarning, match=r"Junk .* is left out of .*: 1 of 4 images\."),
        pytest.warns(UserWarning, match=r"Distractors .* 1 of 3 images, such as 0000_c2s1\.jpg"),
    ):
        dataset = read_people(tmp_path)
    assert dataset.train == tuple(read_folder(tmp_path))
    assert dataset.distractors == {0}
    assert dataset.name == tmp_path.name
    (tmp_path / "-1_c1s1_1.jpg").unlink()
    (tmp_path / "0000_c2s1.jpg").unlink()
    monkeypatch.chdir(tmp_path)
    assert read_people(".").name == tmp_path.name


def test_names_of_market1501_in_sub_folders(tmp_path):
    miniature.touch(tmp_path, "day1/0002_c1s1_1.jpg", "day2/0002_c2s1_1.jpg", "0003_c2.jpg")
    assert {identity for _, identity, _ in rows(read_people(tmp_path))} == {2, 3}
    # Unless the folders are said to count.
    miniature.touch(tmp_path / "own", "ann/0001_c1_cam5.jpg", "bob/0001_c1_cam6.jpg")
    dataset = read_people(tmp_path / "own", camera_pattern=r"_cam(\d)")
    assert rows(dataset) == [("0001_c1_cam5.jpg", 1, 5), ("0001_c1_cam6.jpg", 2, 6)]


def test_tables(tmp_path):
    miniature.touch(tmp_path, "1.jpg", "2.jpg")
    for name in ("people.csv", "PEOPLE.CSV"):
        (tmp_path / name).write_text("path,identity,split\n1.jpg,ann,query\n2.jpg,ann,gallery\n")
        dataset = read_people(str(tmp_path / name))
        assert dataset.query == (PersonImage(tmp_path / "1.jpg", 1, None),)
        assert dataset.gallery == (PersonImage(tmp_path / "2.jpg", 1, None),)
    with pytest.raises(ValueError, match=r"column `camera`\. Received: 'x' for .*people\.csv"):
        read_people(tmp_path / "people.csv", camera_pattern="x")
    with pytest.raises(FileNotFoundError, match=r"must be a file\. Received: .*gone\.csv"):
        read_people(tmp_path / "gone.csv")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (
            ["ann/1.jpg", "bob/1.jpg", "bob/2.jpg", "group.jpg"],
            r"with 4 images, of which 0 are named so, 3 are in sub-folders \(not group\.jpg\)",
        ),
        (
            ["0001_c1s1.jpg", "0001_c2s1.jpg", "holiday.jpg"],
            r"with 3 images, of which 2 are named so \(not holiday\.jpg\), 0 are in sub-folders",
        ),
        (
            ["ann/0001_c1.jpg", "bob/1.jpg"],
            r"with 2 images, of which 1 are named so \(not 1\.jpg\), 2 are in sub-folders",
        ),
        (["1.jpg", "2.jpg"], r"with 2 images, of which 0 are named so, 0 are in sub-folders"),
    ],
)
def test_what_fits_none(tmp_path, names, found):
    miniature.touch(tmp_path, *names)
    looked_for = r"either all be named as Market-1501's.* all be in sub-folders.*table \(\.csv"
    message = rf"{looked_for}.*Received: {re.escape(str(tmp_path))} {found}$"
    with pytest.raises(ValueError, match=message):
        read_people(tmp_path)


def test_a_camera_pattern_looks_for_sub_folders(tmp_path):
    miniature.touch(tmp_path, "0001_c1.jpg", "0001_c2.jpg")
    message = r"must all be in sub-folders.*as `camera_pattern` is given;.*0 are in sub-folders"
    with pytest.raises(ValueError, match=message):
        read_people(tmp_path, camera_pattern=r"c(\d)")


def test_sub_folders_that_are_hardly_people(tmp_path):
    miniature.touch(tmp_path / "parts", "query/ann/1.jpg", "Gallery/ann/2.jpg", "ann/3.jpg")
    with pytest.raises(ValueError, match=r"parts of a dataset: Gallery, query\. Name one.*parts$"):
        read_people(tmp_path / "parts")
    miniature.touch(tmp_path / "one", "crops/1.jpg", "crops/2.jpg")
    with pytest.raises(ValueError, match=r"at least two people\. Received: .*one with crops only"):
        read_people(tmp_path / "one")


def test_what_is_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"does not exist\. Received: .*gone"):
        read_people(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no images .*Received: .*empty"):
        read_people(tmp_path / "empty")
    (tmp_path / "people.xlsx").touch()
    with pytest.raises(
        ValueError, match=r"folder, or a table \(\.csv, \.tsv, \.parquet\).* Received: .*xlsx"
    ):
        read_people(tmp_path / "people.xlsx")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"cam(\d", r"regular expression with a group, such as .*: missing \).*Received: 'cam\("),
        (r"cam\d", r"regular expression with a group, such as .*cam\(\\d\+\)\"\. Received: 'cam"),
        (r"(left|right)", r"`camera_pattern` .* does not match\. Received: cam1\.jpg"),
        (r"(cam)1", r"must be a number\. Received: 'cam' in cam1\.jpg"),
        (r"cam1(x)?", r"must be a number\. Received: None in cam1\.jpg"),
    ],
)
def test_camera_patterns_that_are_wrong(tmp_path, pattern, message):
    miniature.touch(tmp_path, "ann/cam1.jpg", "bob/cam1.jpg")
    with pytest.raises(ValueError, match=message):
        read_people(tmp_path, camera_pattern=pattern)


def test_a_file_of_two_people(tmp_path):
    miniature.touch(tmp_path, "anna/1.jpg", "bob/1.jpg")
    (tmp_path / "anna/2.jpg").hardlink_to(tmp_path / "anna/1.jpg")
    with pytest.warns(UserWarning, match=r"Links to other images .*, 1 of 3: .*anna.2\.jpg"):
        assert len(read_people(tmp_path).train) == 2
    (tmp_path / "bob/2.jpg").hardlink_to(tmp_path / "anna/1.jpg")
    with pytest.raises(ValueError, match=r"one person\. Received: .*anna.1\.jpg and .*bob.2\.jpg"):
        read_people(tmp_path)


def test_people_whose_names_are_numbers_keep_them(tmp_path):
    miniature.touch(tmp_path, "007/1.jpg", "7/1.jpg", "-1/1.jpg", "0/1.jpg")
    with pytest.warns(UserWarning, match="'007' and '7' of .* are taken for two people"):
        people = read_people(tmp_path)
    assert set(people.identity_names.values()) == {"007", "7", "-1", "0"}
    assert people.distractors == frozenset()


def test_an_identity_of_too_many_digits(tmp_path):
    miniature.touch(tmp_path, f"{'9' * 30}_c1_1.jpg", "0002_c1_1.jpg")
    with pytest.raises(ValueError, match=r"all be named as Market-1501's.*of which 1 are named so"):
        read_people(tmp_path)


def test_an_identity_in_two_ways_to_write_it(tmp_path):
    miniature.touch(tmp_path, "0007_c1_1.jpg", "7_c2_1.jpg")
    with pytest.raises(ValueError, match=r"identity 7 in one way\. .*0007_c1.* and .*7_c2"):
        read_people(tmp_path)
