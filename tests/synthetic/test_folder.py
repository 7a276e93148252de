import csv
import json

import numpy as np
import pytest
from PIL import Image

from keras_osnet.data.datasets.image_folder import read_people
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.data.datasets.table import attributes_from_table
from keras_osnet.data.images import read_image
from keras_osnet.data.list_images import list_images
from keras_osnet.synthetic import folder
from keras_osnet.synthetic.folder import write_synthetic_people
from keras_osnet.synthetic.people import synthetic_people, synthetic_person

SMALL = (64, 32)


def test_written_images_are_read_back(tmp_path):
    folder = tmp_path / "new" / "people"
    written = write_synthetic_people(folder, 3, cameras=2, views=2, image_size=SMALL, seed=4)
    assert read_folder(folder) == written
    assert written[-1].path.name == "0003_c2s1_000002_00.png"
    people = synthetic_people(3, cameras=2, views=2, image_size=SMALL, seed=4)
    assert [person.identity - 1 for person in written] == people.identities.tolist()
    assert [person.camera - 1 for person in written] == people.cameras.tolist()
    for person, image in zip(written, people.images, strict=True):
        np.testing.assert_array_equal(read_image(person.path), image)
    record = json.loads((folder / "synthetic_people.json").read_text())
    assert record["identities"] == [0, 1, 2]
    assert record["seed"] == 4


def test_an_interrupted_run_is_completed(tmp_path, monkeypatch):
    real_save, saved = Image.Image.save, []

    def save(self, path, **options):
        saved.append(path)
        if len(saved) == 5:
            path.write_bytes(b"half an image")
            raise OSError("disk full")
        real_save(self, path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", save)
        with pytest.raises(OSError, match="disk full"):
            write_synthetic_people(tmp_path, 3, views=2, image_size=SMALL)
    before = list_images(tmp_path)
    assert len(before) == 4  # only whole ones
    stamps = [path.stat().st_mtime_ns for path in before]

    drawn = []
    monkeypatch.setattr(
        folder,
        "synthetic_person",
        lambda *labels, **options: drawn.append(labels) or synthetic_person(*labels, **options),
    )
    written = write_synthetic_people(tmp_path, 3, views=2, image_size=SMALL)
    assert len(drawn) == 8
    assert [path.stat().st_mtime_ns for path in before] == stamps
    assert read_folder(tmp_path) == written
    assert not list(tmp_path.glob(".*"))


def test_foreign_folders_are_left_alone(tmp_path):
    mine = tmp_path / "0001_c1s1_000001_00.png"
    mine.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"`folder` must be empty.*Received: "):
        write_synthetic_people(tmp_path, 1, image_size=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == [mine.name]
    assert mine.read_bytes() == b"mine"


def test_other_arguments_do_not_mix_into_a_folder(tmp_path):
    write_synthetic_people(tmp_path, 2, image_size=SMALL, views=1)
    with pytest.raises(FileExistsError, match=r"with other arguments.*Received: "):
        write_synthetic_people(tmp_path, 2, image_size=SMALL, views=1, seed=1)
    assert len(list_images(tmp_path)) == 4


def test_the_attributes_table_is_read_back(tmp_path):
    folder = tmp_path / "people"
    write_synthetic_people(folder, 10, cameras=1, views=2, image_size=SMALL)
    people = synthetic_people(10, cameras=1, views=2, image_size=SMALL)
    dataset = attributes_from_table(folder / "attributes.csv")
    assert dataset.attribute_names == people.attribute_names
    np.testing.assert_array_equal(dataset.train.attributes, people.attributes[:16])
    np.testing.assert_array_equal(dataset.test.attributes, people.attributes[16:])
    assert dataset.test.paths[0].name == "0009_c1s1_000001_00.png"
    # The tables do not get in the way of who reads the images.
    assert read_people(folder).counts["identities"] == 10
    assert not (folder / "details.csv").exists()


def test_the_details_table_says_where_look_alikes_differ(tmp_path):
    write_synthetic_people(tmp_path, 4, cameras=1, views=3, image_size=SMALL, look_alikes=2)
    people = synthetic_people(4, cameras=1, views=3, image_size=SMALL, look_alikes=2)
    with (tmp_path / "details.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [tuple(row["details"].split("+")) for row in rows] == list(people.details)
    for row, mask in zip(rows, people.detail_masks, strict=True):
        if not mask.any():
            assert row["top"] == row["right"] == ""
            continue
        top, left, bottom, right = (int(row[side]) for side in ("top", "left", "bottom", "right"))
        assert mask[top:bottom, left:right].sum() == mask.sum()
        assert mask[top].any()
        assert mask[bottom - 1].any()
        assert mask[:, left].any()
        assert mask[:, right - 1].any()


def test_a_table_cut_short_is_completed(tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(folder, "attributes_of", fail)
        with pytest.raises(OSError, match="disk full"):
            write_synthetic_people(tmp_path, 2, views=1, image_size=SMALL)
    assert not (tmp_path / "attributes.csv").exists()
    write_synthetic_people(tmp_path, 2, views=1, image_size=SMALL)
    assert len(attributes_from_table(tmp_path / "attributes.csv").train.paths) == 4


def test_refused_arguments_leave_no_folder(tmp_path):
    with pytest.raises(ValueError, match="`views`"):
        write_synthetic_people(tmp_path / "new", 2, views=0)
    assert not (tmp_path / "new").exists()
