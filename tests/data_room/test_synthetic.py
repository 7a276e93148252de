import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from keras_osnet.data import synthetic
from keras_osnet.data.images import list_images, read_image
from keras_osnet.data.market1501 import read_folder
from keras_osnet.data.synthetic import synthetic_people, synthetic_person, write_synthetic_people
from keras_osnet.evaluation.distances import pairwise_distances
from keras_osnet.evaluation.ranking import evaluate_ranking

SMALL = (64, 32)


def test_shapes_and_labels():
    people = synthetic_people(5, cameras=3, views=2, size=SMALL)
    assert people.images.shape == (30, 64, 32, 3)
    assert people.images.dtype == np.uint8
    assert people.identities.dtype == people.cameras.dtype == np.int64
    assert people.identities.tolist() == [i for i in range(5) for _ in range(6)]
    assert people.cameras.tolist() == [0, 0, 1, 1, 2, 2] * 5
    assert synthetic_people(1, 1, 1).images.shape == (1, 256, 128, 3)


def test_a_picture_does_not_depend_on_what_else_is_drawn():
    few = synthetic_people(3, cameras=2, views=2, size=SMALL, seed=5)
    many = synthetic_people(4, cameras=3, views=4, size=SMALL, seed=5)
    for index, image in enumerate(few.images):
        identity, camera, view = index // 4, index // 2 % 2, index % 2
        np.testing.assert_array_equal(many.images[identity * 12 + camera * 4 + view], image)
        alone = synthetic_person(identity, camera, view, size=SMALL, seed=5)
        np.testing.assert_array_equal(alone, image)


def test_every_picture_is_different():
    images = synthetic_people(6, cameras=2, views=3, size=SMALL).images
    assert len({image.tobytes() for image in images}) == len(images)
    other = synthetic_people(1, cameras=1, views=1, size=SMALL, seed=1).images[0]
    assert other.tobytes() not in {image.tobytes() for image in images}


def test_the_same_bits_everywhere():
    # Changes with the generator's drawing, which is to be done knowingly, and announced: people
    # compare results on these pictures.
    people = synthetic_people(24, cameras=4, views=4, size=(128, 64), seed=1)
    digest = hashlib.sha256(people.images.tobytes()).hexdigest()
    assert digest == "176e00e71ca069ab0abdeeca263f0bd68e508f3096b42b06313e3ecd6d79aa50"


@pytest.mark.parametrize("size", [(1, 1), (8, 4), (31, 77), (160, 64), (64, 128)])
def test_any_size(size):
    images = synthetic_people(6, cameras=2, views=2, size=size).images
    assert images.shape == (24, *size, 3)


def test_a_person_keeps_the_same_place_at_every_size():
    # Averaged over 4x4 pixels, the large picture is the small one but for noise and fine lines.
    for identity in range(8):
        large = synthetic_person(identity, 0, 0, size=(256, 128)).astype(float)
        small = synthetic_person(identity, 0, 0, size=(64, 32)).astype(float)
        reduced = large.reshape(64, 4, 32, 4, 3).mean(axis=(1, 3))
        assert np.corrcoef(reduced.ravel(), small.ravel())[0, 1] > 0.9


def test_hard_but_not_hopeless_across_cameras():
    people = synthetic_people(40, cameras=2, views=4, size=SMALL)
    query, gallery = people.cameras == 0, people.cameras == 1

    def rank_1(features):
        flat = features.reshape(len(features), -1)
        distances = pairwise_distances(flat[query], flat[gallery], "cosine")
        labels = people.identities[query], people.identities[gallery]
        return evaluate_ranking(distances, *labels).rank(1)

    pixels = people.images.astype(np.float32)
    assert rank_1(pixels) < 0.7
    # What a network can learn: to discount the camera. Here by its mean and deviation per pixel.
    for camera in range(2):
        own = people.cameras == camera
        pixels[own] = (pixels[own] - pixels[own].mean(0)) / (pixels[own].std(0) + 1)
    assert rank_1(pixels) > 0.3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"identities": 0}, "`identities` must be at least 1. Received: 0"),
        ({"cameras": 0}, "`cameras` must be at least 1. Received: 0"),
        ({"views": -1}, "`views` must be at least 1. Received: -1"),
        ({"seed": -1}, "`seed` must not be negative. Received: -1"),
        ({"size": (0, 4)}, r"`size` must be .*Received: \(0, 4\)"),
    ],
)
def test_errors_name_the_argument(tmp_path, arguments, message):
    arguments = {"identities": 2, "size": SMALL, **arguments}
    with pytest.raises(ValueError, match=message):
        synthetic_people(**arguments)
    with pytest.raises(ValueError, match=message):
        write_synthetic_people(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_negative_labels_are_refused():
    for name in ("identity", "camera", "view"):
        with pytest.raises(ValueError, match=f"`{name}` must not be negative. Received: -1"):
            synthetic_person(**{"identity": 0, "camera": 0, "view": 0, name: -1})


# --- write_synthetic_people --------------------------------------------------------------------


def test_written_pictures_are_read_back(tmp_path):
    folder = tmp_path / "new" / "people"
    written = write_synthetic_people(folder, 3, cameras=2, views=2, size=SMALL, seed=4)
    assert read_folder(folder) == written
    assert written[-1].path.name == "0003_c2s1_000002_00.png"
    people = synthetic_people(3, cameras=2, views=2, size=SMALL, seed=4)
    assert [person.identity - 1 for person in written] == people.identities.tolist()
    assert [person.camera - 1 for person in written] == people.cameras.tolist()
    for person, image in zip(written, people.images, strict=True):
        np.testing.assert_array_equal(read_image(person.path), image)
    record = json.loads((folder / "synthetic_people.json").read_text())
    assert record["identities"] == [0, 1, 2]
    assert record["seed"] == 4


def test_an_interrupted_run_is_completed(tmp_path, monkeypatch):
    real_save = Image.Image.save

    def save(self, path, **options):
        if "0002_c1s1_000001" in path.name:
            path.write_bytes(b"half a picture")
            raise OSError("disk full")
        real_save(self, path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", save)
        with pytest.raises(OSError, match="disk full"):
            write_synthetic_people(tmp_path, 3, views=2, size=SMALL)
    before = list_images(tmp_path)
    assert len(before) == 4  # only whole ones
    stamps = [path.stat().st_mtime_ns for path in before]

    drawn = []
    monkeypatch.setattr(
        synthetic,
        "synthetic_person",
        lambda *labels, **options: drawn.append(labels) or synthetic_person(*labels, **options),
    )
    written = write_synthetic_people(tmp_path, 3, views=2, size=SMALL)
    assert len(drawn) == 8
    assert [path.stat().st_mtime_ns for path in before] == stamps
    assert read_folder(tmp_path) == written
    assert not list(tmp_path.glob(".*"))


def test_foreign_folders_are_left_alone(tmp_path):
    mine = tmp_path / "0001_c1s1_000001_00.png"
    mine.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"`folder` must be empty.*Received: "):
        write_synthetic_people(tmp_path, 1, size=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == [mine.name]
    assert mine.read_bytes() == b"mine"


def test_other_arguments_do_not_mix_into_a_folder(tmp_path):
    write_synthetic_people(tmp_path, 2, size=SMALL, views=1)
    with pytest.raises(FileExistsError, match=r"of other arguments.*Received: "):
        write_synthetic_people(tmp_path, 2, size=SMALL, views=1, seed=1)
    assert len(list_images(tmp_path)) == 4


def test_chosen_identities_are_the_same_people():
    everybody = synthetic_people(4, cameras=1, views=1, size=(32, 16))
    some = synthetic_people(range(2, 4), cameras=1, views=1, size=(32, 16))
    np.testing.assert_array_equal(some.images, everybody.images[2:])
    assert some.identities.tolist() == [2, 3]


@pytest.mark.parametrize("identities", [[], [-1], 0])
def test_nobody_or_negative_identities(identities):
    with pytest.raises(ValueError, match="`identities`"):
        synthetic_people(identities)
