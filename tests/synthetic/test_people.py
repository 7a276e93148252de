import hashlib

import numpy as np
import pytest

from keras_osnet.metrics.distances import pairwise_distances
from keras_osnet.metrics.ranking import evaluate_ranking
from keras_osnet.synthetic.people import synthetic_people, synthetic_person

SMALL = (64, 32)


def test_shapes_and_labels():
    people = synthetic_people(5, cameras=3, views=2, image_size=SMALL)
    assert people.images.shape == (30, 64, 32, 3)
    assert people.images.dtype == np.uint8
    assert people.identities.dtype == people.cameras.dtype == np.int64
    assert people.identities.tolist() == [i for i in range(5) for _ in range(6)]
    assert people.cameras.tolist() == [0, 0, 1, 1, 2, 2] * 5
    assert synthetic_people(1, 1, 1).images.shape == (1, 256, 128, 3)


def test_a_image_does_not_depend_on_what_else_is_drawn():
    few = synthetic_people(3, cameras=2, views=2, image_size=SMALL, seed=5)
    many = synthetic_people(4, cameras=3, views=4, image_size=SMALL, seed=5)
    for index, image in enumerate(few.images):
        identity, camera, view = index // 4, index // 2 % 2, index % 2
        np.testing.assert_array_equal(many.images[identity * 12 + camera * 4 + view], image)
        alone = synthetic_person(identity, camera, view, image_size=SMALL, seed=5)
        np.testing.assert_array_equal(alone, image)


def test_every_image_is_different():
    images = synthetic_people(6, cameras=2, views=3, image_size=SMALL).images
    assert len({image.tobytes() for image in images}) == len(images)
    other = synthetic_people(1, cameras=1, views=1, image_size=SMALL, seed=1).images[0]
    assert other.tobytes() not in {image.tobytes() for image in images}


def test_the_same_bits_everywhere():
    # Changes with the generator's drawing, which is to be done knowingly, and announced: people
    # compare results on these images.
    people = synthetic_people(24, cameras=4, views=4, image_size=(128, 64), seed=1)
    digest = hashlib.sha256(people.images.tobytes()).hexdigest()
    assert digest == "f3d7aa09da6f470197f006507334a7e9d8435cf6ad4f2b11c4a7e709e8978166"


@pytest.mark.parametrize("size", [(1, 1), (8, 4), (31, 77), (160, 64), (64, 128)])
def test_any_size(size):
    images = synthetic_people(6, cameras=2, views=2, image_size=size).images
    assert images.shape == (24, *size, 3)


def test_a_person_keeps_the_same_place_at_every_size():
    # Averaged over 4x4 pixels, the large image is the small one but for noise and fine lines.
    for identity in range(8):
        large = synthetic_person(identity, 0, 0, image_size=(256, 128)).astype(float)
        small = synthetic_person(identity, 0, 0, image_size=(64, 32)).astype(float)
        reduced = large.reshape(64, 4, 32, 4, 3).mean(axis=(1, 3))
        assert np.corrcoef(reduced.ravel(), small.ravel())[0, 1] > 0.9


def test_hard_but_not_hopeless_across_cameras():
    people = synthetic_people(40, cameras=2, views=4, image_size=SMALL)
    query, gallery = people.cameras == 0, people.cameras == 1

    def rank_1(features):
        flat = features.reshape(len(features), -1)
        distances = pairwise_distances(flat[query], flat[gallery], "cosine")
        labels = people.identities[query], people.identities[gallery]
        return evaluate_ranking(distances, *labels).rank(1)

    colors = [
        np.histogramdd(image.reshape(-1, 3), bins=8, range=((0, 256),) * 3)[0]
        for image in people.images
    ]
    assert rank_1(np.stack(colors).astype(np.float32)) < 0.1  # by chance: 1 of 40
    pixels = people.images.astype(np.float32)
    # What a network can learn: to discount the camera. Here by its mean and deviation per pixel.
    for camera in range(2):
        own = people.cameras == camera
        pixels[own] = (pixels[own] - pixels[own].mean(0)) / (pixels[own].std(0) + 1)
    assert rank_1(pixels) > 0.2


def test_attributes_are_the_persons_but_for_the_view():
    people = synthetic_people(60, cameras=2, views=3, image_size=(16, 8))
    assert people.attributes.shape == (360, 26)
    assert people.attributes.dtype == np.uint8
    assert len(set(people.attribute_names)) == 26
    column = {name: people.attributes[:, i] for i, name in enumerate(people.attribute_names)}
    for exclusive in (
        ("AgeOver60", "Age18-60", "AgeLess18"),
        ("Front", "Side", "Back"),
        ("ShortSleeve", "LongSleeve"),
        ("Trousers", "Shorts", "Skirt&Dress"),
    ):
        np.testing.assert_array_equal(sum(column[name] for name in exclusive), 1)
    unseen = column["Back"] == 1
    for name, values in column.items():
        assert 0 < values.mean() < 1, name
        of_person = values.reshape(60, 6)
        if name in ("Glasses", "HoldObjectsInFront"):
            assert not values[unseen].any()
            of_person = np.where(unseen.reshape(60, 6), of_person.max(1, keepdims=True), of_person)
        if name not in ("Front", "Side", "Back"):
            np.testing.assert_array_equal(of_person, of_person[:, :1].repeat(6, 1), name)


def test_attributes_do_not_depend_on_size_or_on_what_else_is_drawn():
    some = synthetic_people([3, 5], cameras=1, views=2, image_size=(16, 8))
    all_of_them = synthetic_people(6, cameras=1, views=2, image_size=(40, 20))
    np.testing.assert_array_equal(some.attributes, all_of_them.attributes[[6, 7, 10, 11]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"identities": 0}, "`identities` must be a whole number of at least 1. Received: 0"),
        ({"cameras": 0}, "`cameras` must be a whole number of at least 1. Received: 0"),
        ({"views": -1}, "`views` must be a whole number of at least 1. Received: -1"),
        ({"seed": -1}, "`seed` must be a whole number of at least 0. Received: -1"),
        ({"look_alikes": 0}, "`look_alikes` must be a whole number of at least 1. Received: 0"),
        ({"look_alikes": 7}, "`look_alikes` must be at most 6. Received: 7"),
        ({"image_size": (0, 4)}, r"`image_size` must be .*Received: \(0, 4\)"),
    ],
)
def test_errors_name_the_argument(arguments, message):
    arguments = {"identities": 2, "image_size": SMALL, **arguments}
    with pytest.raises(ValueError, match=message):
        synthetic_people(**arguments)


def test_negative_labels_are_refused():
    for name in ("identity", "camera", "view", "in_place_of"):
        with pytest.raises(ValueError, match=f"`{name}` must be a whole number.* Received: -1"):
            synthetic_person(**{"identity": 0, "camera": 0, "view": 0, name: -1})


def test_chosen_identities_are_the_same_people():
    everybody = synthetic_people(4, cameras=1, views=1, image_size=(32, 16))
    some = synthetic_people(range(2, 4), cameras=1, views=1, image_size=(32, 16))
    np.testing.assert_array_equal(some.images, everybody.images[2:])
    assert some.identities.tolist() == [2, 3]


@pytest.mark.parametrize("identities", [[], [-1], 0])
def test_nobody_or_negative_identities(identities):
    with pytest.raises(ValueError, match="`identities`"):
        synthetic_people(identities)
