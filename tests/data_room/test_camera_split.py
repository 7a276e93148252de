from pathlib import Path

import pytest

from keras_osnet.data import PersonImage, split_by_camera


def person(identity, camera):
    return PersonImage(Path(f"{identity:04d}_c{camera}.png"), identity, camera)


def test_distractors_are_no_queries_but_in_the_gallery():
    people = [person(identity, camera) for identity in (0, 1) for camera in (1, 2, 3)]
    query, gallery = split_by_camera(people, query_camera=2)
    assert query == [person(1, 2)]
    assert gallery == [person(0, 1), person(0, 3), person(1, 1), person(1, 3)]


@pytest.mark.parametrize(
    "people", [[], [person(1, 1)], [person(1, 2)], [person(0, 1), person(1, 2)]]
)
def test_a_side_without_pictures(people):
    with pytest.raises(ValueError, match=r"`query_camera` must be.*Received: query_camera=1, \d"):
        split_by_camera(people)


def test_a_camera_that_is_not_known():
    with pytest.raises(ValueError, match=r"known cameras.*Received: 1 without one, .*cNone"):
        split_by_camera([person(1, 1), person(1, 2), person(1, None)])
