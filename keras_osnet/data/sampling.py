"""The images of each batch of an epoch, as functions of (seed, epoch) without state.

The same epoch has the same batches in every process and after a restart.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole

_ORDER = 1
"""Separates the stream of an epoch's order from that of its augmentation, which has the same seed:
numpy treats the seeds (5, 2) and (5, 2, 0) alike."""


def shuffled_indices(n: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the indices 0 to n - 1 in the order of an epoch.

    Args:
        n: Number of indices.
        seed: Seed of the training, from 0.
        epoch: The epoch, from 0.

    Returns:
        Array (n,), each index once.

    Raises:
        ValueError: An argument is negative or not an integer.

    Example:
        >>> sorted(shuffled_indices(5, seed=0, epoch=3).tolist())
        [0, 1, 2, 3, 4]
    """
    check_whole(0, n=n)
    return _generator(seed, epoch).permutation(n)


def identity_batches(
    labels: ArrayLike,
    identities_per_batch: int,
    images_per_identity: int,
    *,
    seed: int,
    epoch: int,
) -> NDArray[np.int64]:
    """Draw the batches of an epoch, each with K images of P people.

    As in torchreid, the images of each person are shuffled and cut into groups of K, and a batch
    consists of the groups of P people drawn at random. The remainder of a person's images is left
    out of the epoch; people with fewer than K images make one group, drawn with replacement.
    torchreid ends an epoch when its draws leave fewer than P people, so the number of batches
    varies. Here people who must be in every remaining batch are drawn first: every epoch has the
    same, largest possible number of batches.

    Args:
        labels: The person on each image; integers (images,).
        identities_per_batch: P.
        images_per_identity: K.
        seed: Seed of the training, from 0.
        epoch: The epoch, from 0.

    Returns:
        Array (batches, P * K) of indices into `labels`; the images of a person are adjacent.

    Raises:
        ValueError: `labels` is not a vector of integers of at least P people, P or K is not
            positive, or `seed` or `epoch` is negative.

    Example:
        >>> labels = [0, 0, 0, 0, 1, 1, 2, 2]
        >>> batches = identity_batches(labels, 2, 2, seed=0, epoch=0)
        >>> batches.shape, sorted(batches.ravel().tolist())
        ((2, 4), [0, 1, 2, 3, 4, 5, 6, 7])
    """
    check_whole(1, identities_per_batch=identities_per_batch)
    check_whole(1, images_per_identity=images_per_identity)
    people = np.asarray(labels)
    if people.ndim != 1 or people.dtype.kind not in "iu":
        raise ValueError(
            f"`labels` must be integers, one for each image. Received: {people.dtype} of "
            f"shape {people.shape}"
        )
    _, identity = np.unique(people, return_inverse=True)
    members = np.split(np.argsort(identity, kind="stable"), np.cumsum(np.bincount(identity))[:-1])
    if len(people) == 0 or len(members) < identities_per_batch:
        raise ValueError(
            f"`labels` must have at least {identities_per_batch} people, as many as a batch. "
            f"Received: {len(members) if len(people) else 0} people"
        )
    rng = _generator(seed, epoch)
    groups = [_groups(own, images_per_identity, rng) for own in members]
    turns = _turns(np.array([len(own) for own in groups]), identities_per_batch, rng)
    next_group = [iter(own) for own in groups]
    return np.array(
        [np.concatenate([next(next_group[person]) for person in batch]) for batch in turns]
    )


def shard(batches: NDArray[Any], index: int, count: int) -> NDArray[Any]:
    """Return one worker's part of every batch.

    All parts together are the batch that a single worker would have. If `count` divides P, the
    people of `identity_batches` stay together.

    Args:
        batches: Array (batches, size).
        index: The worker, from 0.
        count: Number of workers.

    Returns:
        Array (batches, size / count).

    Raises:
        ValueError: `count` does not divide the size, or `index` is not below `count`.

    Example:
        >>> shard(np.array([[4, 1, 3, 2], [0, 5, 7, 6]]), index=1, count=2)
        array([[3, 2],
               [7, 6]])
    """
    check_whole(1, count=count)
    check_whole(0, index=index)
    size = batches.shape[1]
    if index >= count:
        raise ValueError(f"`index` must be below `count`, {count}. Received: {index}")
    if size % count:
        raise ValueError(
            f"The batch must be divisible by the number of workers. "
            f"Received: {size} images for {count} workers"
        )
    part = size // count
    return batches[:, index * part : (index + 1) * part]


def evenly_spaced(count: int, most: int) -> list[int]:
    """Return at most `most` of the indices 0 to count - 1, from the first to the last."""
    return [int(index) for index in np.linspace(0, count - 1, min(count, most)).round()]


def _generator(seed: int, epoch: int) -> np.random.Generator:
    check_whole(0, seed=seed, epoch=epoch)
    return np.random.default_rng(np.random.SeedSequence([seed, epoch], spawn_key=(_ORDER,)))


def _groups(own: NDArray[np.int64], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the images of one person in groups; array (groups, size)."""
    if len(own) < size:
        return rng.choice(own, (1, size))
    return rng.permutation(own)[: len(own) // size * size].reshape(-1, size)


def _turns(
    groups: NDArray[np.int64], people: int, rng: np.random.Generator
) -> Sequence[NDArray[np.int64]]:
    """Return the people of each batch; each person is in at most as many as they have groups."""
    batches = int(groups.sum()) // people
    # A person is in a batch at most once, so at most in all batches.
    while np.minimum(groups, batches).sum() < people * batches:
        batches -= 1
    left = np.minimum(groups, batches)
    # Drop random groups that do not fill a batch.
    surplus = rng.permutation(np.repeat(np.arange(len(left)), left))[people * batches :]
    np.subtract.at(left, surplus, 1)
    turns = []
    for remaining in range(batches, 0, -1):
        due = np.flatnonzero(left == remaining)
        others = np.flatnonzero((left > 0) & (left < remaining))
        drawn = rng.choice(others, people - len(due), replace=False)
        turns.append(rng.permutation(np.concatenate([due, drawn])))
        left[turns[-1]] -= 1
    return turns
