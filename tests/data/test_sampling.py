from collections import Counter

import numpy as np
import pytest

from keras_osnet.data.sampling import identity_batches, shard, shuffled_indices

UNEVEN = np.repeat([7, 3, 11, 5, 2, 20], [13, 1, 8, 5, 4, 9])
"""Six people with 13, 1, 8, 5, 4 and 9 images."""


def most_batches(groups, people):
    """By trying: the most batches in which nobody is twice, or more often than they have groups."""
    batches = 0
    while sum(min(count, batches + 1) for count in groups) >= people * (batches + 1):
        batches += 1
    return batches


def test_shuffled_is_a_permutation_of_its_own_for_each_seed_and_epoch():
    orders = [
        shuffled_indices(100, seed=seed, epoch=epoch) for seed in range(3) for epoch in range(3)
    ]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(100))
    assert len({tuple(order) for order in orders}) == 9
    np.testing.assert_array_equal(orders[5], shuffled_indices(100, seed=1, epoch=2))
    assert shuffled_indices(0, seed=0, epoch=0).shape == (0,)


def test_order_does_not_share_its_stream_with_the_first_images_augmentation():
    # numpy pads short seeds with zeros.
    assert np.random.default_rng([5, 2]).random() == np.random.default_rng([5, 2, 0]).random()
    permutation = np.random.default_rng([5, 2, 0]).permutation(100)
    assert shuffled_indices(100, seed=5, epoch=2).tolist() != permutation.tolist()


@pytest.mark.parametrize("labels", [UNEVEN, np.random.default_rng(0).permutation(UNEVEN)])
@pytest.mark.parametrize(("people", "each"), [(2, 4), (3, 4), (4, 2), (6, 1), (1, 3), (6, 4)])
def test_identity_batches(labels, people, each):
    sizes = Counter(labels.tolist())
    groups = {person: max(count // each, 1) for person, count in sizes.items()}
    number = most_batches(groups.values(), people)
    for epoch in range(4):
        batches = identity_batches(labels, people, each, seed=3, epoch=epoch)
        assert batches.shape == (number, people * each)
        turns = Counter()
        for batch in labels[batches].reshape(-1, people, each):
            assert (batch == batch[:, :1]).all(), "the images of a person stand together"
            assert len(set(batch[:, 0])) == people, "nobody is in a batch twice"
            turns.update(batch[:, 0].tolist())
        used = Counter(batches.ravel().tolist())
        for person, count in sizes.items():
            own = [used[place] for place in np.flatnonzero(labels == person)]
            if count >= each:
                assert max(own) <= 1, "no image comes twice in an epoch"
            # As often as the images allow; fewer times only where that fills the batches.
            assert turns[person] <= min(groups[person], number)
        left_out = sum(min(groups[person], number) - turns[person] for person in groups)
        assert left_out == sum(min(count, number) for count in groups.values()) - people * number


def test_equal_people_all_come_equally_often():
    labels = np.repeat(np.arange(10), 8)
    batches = identity_batches(labels, 5, 4, seed=0, epoch=0)
    assert batches.shape == (4, 20)
    np.testing.assert_array_equal(np.sort(batches.ravel()), np.arange(80))


def test_people_with_few_images_are_drawn_with_replacement():
    labels = np.array([0, 0, 1, 1, 1, 1])
    draws = [identity_batches(labels, 2, 4, seed=0, epoch=epoch) for epoch in range(20)]
    for batches in draws:
        assert batches.shape == (1, 8)
        own = batches.ravel()[labels[batches.ravel()] == 0]
        assert len(own) == 4
        assert set(own) <= {0, 1}
    assert len({tuple(np.sort(batches.ravel())) for batches in draws}) > 1


def test_company_changes_between_batches_and_epochs():
    labels = np.repeat(np.arange(12), 16)
    company = {
        frozenset(labels[batch].tolist())
        for epoch in range(3)
        for batch in identity_batches(labels, 4, 4, seed=0, epoch=epoch)
    }
    assert len(company) > 30  # of 36 batches


def test_identity_batches_are_a_function_of_seed_and_epoch():
    def draw(seed, epoch):
        return identity_batches(UNEVEN, 2, 2, seed=seed, epoch=epoch)

    first = draw(1, 4)
    draw(0, 0)
    np.testing.assert_array_equal(first, draw(1, 4))
    assert (first != draw(1, 5)).any()
    assert (first != draw(2, 4)).any()


def test_shards_make_up_the_batch_and_keep_people_whole():
    batches = identity_batches(np.repeat(np.arange(8), 4), 4, 4, seed=0, epoch=0)
    parts = [shard(batches, index, 2) for index in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), batches)
    for part in parts:
        assert set(Counter((part[0] // 4).tolist()).values()) == {4}


def test_errors():
    with pytest.raises(
        ValueError, match=r"`seed` must be a whole number of at least 0. Received: -1"
    ):
        shuffled_indices(3, seed=-1, epoch=0)
    with pytest.raises(
        ValueError, match=r"`epoch` must be a whole number of at least 0. Received: 1.5"
    ):
        shuffled_indices(3, seed=0, epoch=1.5)
    with pytest.raises(ValueError, match=r"`n` must be a whole number of at least 0. Received: -3"):
        shuffled_indices(-3, seed=0, epoch=0)
    for labels in ([[1, 2]], [0.5, 1.0], ["a", "b"]):
        with pytest.raises(ValueError, match=r"`labels` must be integers.* Received: "):
            identity_batches(labels, 1, 1, seed=0, epoch=0)
    with pytest.raises(ValueError, match=r"at least 3 people.* Received: 2 people"):
        identity_batches([0, 0, 1], 3, 1, seed=0, epoch=0)
    with pytest.raises(ValueError, match=r"at least 1 people.* Received: 0 people"):
        identity_batches(np.zeros(0, int), 1, 1, seed=0, epoch=0)
    with pytest.raises(ValueError, match=r"`images_per_identity` must be .* Received: 0"):
        identity_batches([0, 1], 1, 0, seed=0, epoch=0)
    with pytest.raises(ValueError, match=r"`index` must be below `count`, 2. Received: 2"):
        shard(np.zeros((1, 4), int), 2, 2)
    with pytest.raises(ValueError, match=r"Received: 4 images for 3 workers"):
        shard(np.zeros((1, 4), int), 0, 3)
