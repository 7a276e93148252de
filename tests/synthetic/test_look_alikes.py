import numpy as np
import pytest

from keras_osnet.synthetic.appearance import appearance, contrast
from keras_osnet.synthetic.people import synthetic_people, synthetic_person

SIZE = (128, 64)


def grown(mask, by=2):
    """A mask and what is `by` pixels around it, as far as a camera's blur reaches."""
    for _ in range(by):
        padded = np.pad(mask, 1)
        mask = padded[1:-1, 1:-1] | padded[2:, 1:-1] | padded[:-2, 1:-1]
        mask = mask | np.roll(mask, 1, axis=1) | np.roll(mask, -1, axis=1)
    return mask


def test_images_differ_within_the_mask_only():
    people = synthetic_people(20, cameras=2, views=2, image_size=SIZE, look_alikes=2)
    seen = []
    for index, mask in enumerate(people.detail_masks):
        identity, camera, view = index // 4, index // 2 % 2, index % 2
        own = people.images[index].astype(int)
        other = synthetic_person(
            identity ^ 1, camera, view, image_size=SIZE, look_alikes=2, in_place_of=identity
        )
        differ = np.abs(other - own).max(axis=-1)
        assert differ[~grown(mask)].max() <= 8  # of what is too faint for the mask
        seen.append(mask.mean())
    assert 0 < np.mean(seen) < 0.05
    assert np.mean(np.array(seen) > 0) > 0.8  # sometimes the detail is hidden


@pytest.mark.parametrize("group", [2, 3, 6])
def test_groups_share_all_but_their_details(group):
    people = synthetic_people(6 * group, cameras=1, views=1, image_size=(8, 4), look_alikes=group)
    fields = {
        "print": {"print", "print_color"},
        "shoes": {"shoes"},
        "hat": {"hat_color"},
        "bag": {"bag_color"},
        "scarf": {"scarf_color"},
    }
    columns = [name not in ("Front", "Side", "Back", "Glasses", "HoldObjectsInFront")
               for name in people.attribute_names]  # fmt: skip
    for first in range(0, 6 * group, group):
        details = set(people.details[first : first + group])
        assert len(details) == 1
        (details,) = details
        assert 1 <= len(details) <= 2
        members = [vars(appearance(0, first + member, group)) for member in range(group)]
        changing = {key for key in members[0] if len({each[key] for each in members}) > 1}
        assert changing <= set().union(*(fields[detail] for detail in details))
        for detail in details:
            field = "print" if detail == "print" else next(iter(fields[detail]))
            assert len({each[field] for each in members}) == group
        if "shoes" in details:
            colors = [each["shoes"] for each in members]
            assert min(contrast(a, b) for a in colors for b in colors if a is not b) > 70
        same = people.attributes[first : first + group][:, columns]
        assert (same == same[0]).all()


def test_all_kinds_of_details_occur():
    people = synthetic_people(80, cameras=1, views=1, image_size=(8, 4), look_alikes=2)
    assert set().union(*people.details) == {"print", "shoes", "hat", "bag", "scarf"}


def test_nobody_is_alike_unless_asked_for():
    people = synthetic_people(2, cameras=1, views=1, image_size=(8, 4))
    assert people.details == ((), ())
    assert people.detail_masks is None


def test_the_same_person_in_anothers_place_is_that_person():
    own = synthetic_person(3, 0, 1, image_size=SIZE)
    np.testing.assert_array_equal(synthetic_person(3, 0, 1, image_size=SIZE, in_place_of=3), own)
    guest = synthetic_person(4, 0, 1, image_size=SIZE, in_place_of=3)
    same = (guest == own).all(axis=-1)
    assert 0.5 < same.mean() < 0.95  # the place is the same, the person is not
