"""Which crops of an input a run embeds: its shard, without those that are done."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.checks import whole_number


def hash_keys(keys: Iterable[str]) -> NDArray[np.uint64]:
    """Return a hash of 64 bits for each key, the same on every machine.

    Eight bytes for each crop are what a run holds of millions. Two of a million keys have the same
    one with a probability of 3e-8.
    """
    digests = (hashlib.blake2b(key.encode(), digest_size=8).digest() for key in keys)
    return np.frombuffer(b"".join(digests), "<u8")


def as_text(name: str) -> str:
    """Return a file's name as text that can be written; bytes that are none, as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, eq=False)
class Selection:
    """The crops of a shard that are not done.

    A crop belongs to a shard by its key alone: not by its place in the input, nor by the machine.

    Attributes:
        shard: The shard, from 1.
        shards: Number of shards.
        done: Sorted hashes of the keys that are done.
    """

    shard: int = 1
    shards: int = 1
    done: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))

    def mask(self, keys: Iterable[str]) -> NDArray[np.bool_]:
        """Return whether each key is selected, (n,)."""
        hashes = hash_keys(keys)
        selected: NDArray[np.bool_] = hashes % np.uint64(self.shards) == self.shard - 1
        if self.done.size:
            places = np.searchsorted(self.done, hashes).clip(max=self.done.size - 1)
            selected &= self.done[places] != hashes
        return selected


def check_shard(shard: object) -> tuple[int, int]:
    """Return (shard, shards), or raise ValueError unless it is 1 of 1 or more."""
    if isinstance(shard, tuple | list) and len(shard) == 2:
        index, count = (whole_number(each) or 0 for each in shard)
        if 1 <= index <= count:
            return index, count
    raise ValueError(
        "`shard` must be (shard, number of shards), such as (1, 3), (2, 3) and (3, 3). "
        f"Received: {shard!r}"
    )
