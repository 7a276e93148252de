"""Look-alikes: people who share all but one or two small details, as in the paper's Fig. 1."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from keras_osnet.synthetic.drawing.appearance import PRINTS, VIVID, Appearance, contrasting

MOST = 6
"""As many people can be told apart by one detail."""

_TWO_DETAILS = 0.3
"""Share of the groups that differ in two details."""


@lru_cache(maxsize=4096)
def appearance(seed: int, identity: int, group: int) -> Appearance:
    """Who an identity is, where each `group` in a row are look-alikes."""
    first = identity - identity % group
    person = Appearance.draw(np.random.default_rng([seed, 0, first]))
    if group == 1:
        return person
    rng = np.random.default_rng([seed, 3, first])
    for detail in _chosen(rng):
        person = replace(person, **_DETAILS[detail](person, rng, identity % group))
    return person


@lru_cache(maxsize=4096)
def details(seed: int, identity: int, group: int) -> tuple[str, ...]:
    """What an identity differs in from its look-alikes; nothing if there are none."""
    if group == 1:
        return ()
    return _chosen(np.random.default_rng([seed, 3, identity - identity % group]))


def _chosen(rng: np.random.Generator) -> tuple[str, ...]:
    """One or two of the details, in the order of the table."""
    order = rng.permutation(len(_DETAILS))
    chosen = order[: 2 if rng.random() < _TWO_DETAILS else 1]
    return tuple(detail for number, detail in enumerate(_DETAILS) if number in chosen)


def _print(person: Appearance, rng: np.random.Generator, member: int) -> dict[str, Any]:
    # Nothing is to cover it.
    return {
        "outer": "shirt",
        "pattern": "plain",
        "print": PRINTS[rng.permutation(len(PRINTS))[member]],
        "print_colour": [contrasting(rng, person.top) for _ in range(MOST)][member],
        "holds": False,
        "scarf": False,
        "hair_style": "short" if person.hair_style in ("long", "tail") else person.hair_style,
        "bag": "none" if person.bag == "backpack" else person.bag,
    }


def _shoes(_: Appearance, rng: np.random.Generator, member: int) -> dict[str, Any]:
    return {"boots": False, "shoes": _vivid(rng, member)}


def _hat(person: Appearance, rng: np.random.Generator, member: int) -> dict[str, Any]:
    hat = "beanie" if person.hat == "none" else person.hat
    return {"hat": hat, "hat_colour": _vivid(rng, member)}


def _bag(person: Appearance, rng: np.random.Generator, member: int) -> dict[str, Any]:
    bag = person.bag if person.bag in ("hand", "shoulder") else "hand"
    return {"bag": bag, "holds": False, "bag_colour": _vivid(rng, member)}


def _scarf(_: Appearance, rng: np.random.Generator, member: int) -> dict[str, Any]:
    return {"scarf": True, "scarf_colour": _vivid(rng, member)}


def _vivid(rng: np.random.Generator, member: int) -> tuple[float, float, float]:
    """Of the vivid colours in an order of the group's own, that of a member."""
    return VIVID[rng.permutation(len(VIVID))[member]]


_DETAILS: dict[str, Callable[[Appearance, np.random.Generator, int], dict[str, Any]]] = {
    "print": _print,
    "shoes": _shoes,
    "hat": _hat,
    "bag": _bag,
    "scarf": _scarf,
}
"""Each gives the fields in which a member of a group departs from the person that they share."""
