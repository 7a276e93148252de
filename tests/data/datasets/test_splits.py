"""People divided for training and testing, and datasets made from others."""

from collections import Counter
from pathlib import Path

import miniature_datasets as miniature
import numpy as np
import pytest

from keras_osnet.data import (
    PersonImage,
    ReidDataset,
    combineall,
    merge_datasets,
    read_dataset,
    split_by_camera,
    split_by_identity,
)
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.data.datasets.splits import divide_images, split_queries
from keras_osnet.data.records import identity_labels


def people(identities, cameras, views):
    """Images of everybody under every camera; without cameras if these are None."""
    return [
        PersonImage(Path(f"{identity}_{camera}_{view}.jpg"), identity, camera)
        for identity in range(1, identities + 1)
        for camera in cameras
        for view in range(views)
    ]


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


def test_split_queries(tmp_path):
    images = [
        PersonImage(tmp_path / f"{identity}_{camera}_{view}.jpg", identity, camera)
        for identity in range(1, 21)
        for camera in (1, 2)
        for view in range(3)
    ]
    query, gallery = split_queries(images)
    assert sorted((image.identity, image.camera) for image in query) == [
        (identity, camera) for identity in range(1, 21) for camera in (1, 2)
    ]
    assert set(query) | set(gallery) == set(images)
    assert len(query) + len(gallery) == len(images)
    assert split_queries(images) == (query, gallery)
    assert split_queries(images, seed=1) != (query, gallery)

    bare = [PersonImage(image.path, image.identity, None) for image in images]
    query, gallery = split_queries([*bare, PersonImage(tmp_path / "alone.jpg", 99, None)])
    assert [image.identity for image in query] == list(range(1, 21))
    assert len(gallery) == 101
    with pytest.raises(ValueError, match=r"^Nobody has two images\. Received: 1 images of 1"):
        split_queries(bare[:1])
    with pytest.raises(ValueError, match=r"two images under different cameras\. Received: 3 "):
        split_queries(images[:3])


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


def test_merge_datasets_keeps_people_and_cameras_apart():
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
    assert mixed.identity_names[0] == f"one/{one.train[0].identity}"
    same = merge_datasets([two, two])
    assert "two-2/val" in same.identity_names.values()
    assert mixed.identity_names[5] == "three/1"
    with pytest.raises(ValueError, match="Received: none"):
        merge_datasets([])


def people_at(*seen):
    """An image for each (identity, camera)."""
    return [PersonImage(Path(f"{n}.png"), identity, camera) for n, (identity, camera) in seen]


@pytest.mark.parametrize(
    ("seen", "camera", "matched"),
    [
        ([(1, 1), (1, 2), (2, 1), (2, 2)], 1, True),
        ([(1, 3), (1, 4), (2, 4)], 3, True),
        # Only one person was seen twice, and not by the first camera.
        ([(1, 1), (2, 2), (2, 3), (3, 3)], 2, True),
        ([(1, None), (1, None), (2, 1)], None, True),
        ([(1, 1), (2, 2)], 1, False),
        ([(1, 1), (1, 1)], 1, False),
    ],
)
def test_the_default_division(seen, camera, matched):
    images = people_at(*enumerate(seen))
    if not matched:
        with pytest.raises(ValueError, match=r"Received: .*\d images"):
            divide_images(images)
        return
    query, gallery, division = divide_images(images)
    assert {image.identity for image in query} & {image.identity for image in gallery}
    if camera is None:
        assert "one image of each person" in division
    else:
        assert {image.camera for image in query} == {camera}
        assert camera not in {image.camera for image in gallery}
        assert f"the images of camera {camera}, the gallery those of the others" in division
