"""A tracker that uses exported files confuses fewer people than by motion alone."""

import pytest
from environments import TORCH
from track_two_cameras import PACKAGES, track
from two_cameras import two_cameras


@pytest.fixture(scope="module")
def video():
    return two_cameras()


def test_boxes_are_of_visible_people(video):
    assert video.images.shape[1:] == (400, 640, 3)
    assert (video.boxes >= 0).all()
    assert (video.boxes[:, 2:] <= (640, 400)).all()
    assert set(zip(video.people, video.cameras, strict=True)) == {
        (person, camera) for person in range(8) for camera in (0, 1)
    }


def test_re_id_keeps_the_numbers_of_people(environment, video, tmp_path):
    boxmot = environment([TORCH, "torchvision"], PACKAGES)
    video.save(tmp_path / "video.npz")
    motion = track(boxmot, tmp_path, video)
    reid = track(boxmot, tmp_path, video, "synthetic")
    assert motion["kept"] == 0
    assert reid["kept"] >= 6
    assert reid["idf1"] > motion["idf1"] + 0.4
    assert reid["switches"] < motion["switches"]
    assert reid["right"] > 2 * motion["right"]
