from pathlib import Path

import pytest

from keras_osnet.data import PersonImage, read_folder, split_by_camera


def person(identity, camera, **labels):
    return PersonImage(Path(f"{identity:04d}_c{camera}.png"), identity, camera, **labels)


def test_distractors_are_no_queries_but_in_the_gallery(tmp_path):
    names = [f"000{identity}_c{camera}.png" for identity in (0, 1) for camera in (1, 2, 3)]
    for name in names:
        (tmp_path / name).touch()
    query, gallery = split_by_camera(read_folder(tmp_path), query_camera=2)
    assert [one.path.name for one in query] == ["0001_c2.png"]
    assert [one.path.name for one in gallery] == [name for name in names if "c2" not in name]


def test_identity_0_of_ones_own_is_a_person():
    people = [person(identity, camera) for identity in (0, 1) for camera in (1, 2)]
    assert split_by_camera(people) == ([person(0, 1), person(1, 1)], [person(0, 2), person(1, 2)])


@pytest.mark.parametrize(
    "people",
    [[], [person(1, 1)], [person(1, 2)], [person(0, 1, distractor=True), person(1, 2)]],
)
def test_a_side_without_images(people):
    with pytest.raises(ValueError, match=r"`query_camera` must be.*Received: query_camera=1, \d"):
        split_by_camera(people)


def test_a_camera_that_is_not_known():
    with pytest.raises(ValueError, match=r"known cameras.*Received: 1 without one, .*cNone"):
        split_by_camera([person(1, 1), person(1, 2), person(1, None)])
