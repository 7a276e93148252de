"""A person's appearance: body, hair, clothes, bags; look-alikes; and the attributes of an image.

Look-alikes are people who share all but one or two small details, as in the paper's Fig. 1.
"""

from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from keras_osnet.synthetic.shapes import Color

Print = Literal["none", "disc", "square", "cross", "triangle", "ring", "bars"]

PRINTS: tuple[Print, ...] = ("disc", "square", "cross", "triangle", "ring", "bars")

VIVID: tuple[Color, ...] = (
    (228, 226, 220),
    (26, 26, 30),
    (206, 40, 44),
    (232, 196, 48),
    (44, 110, 200),
    (56, 160, 74),
    (236, 126, 38),
    (186, 80, 170),
)
"""Clearly different colors, for prints and for the details of look-alikes."""

_HAIR = ((28, 24, 24), (62, 42, 30), (110, 74, 44), (196, 164, 104), (38, 30, 28), (140, 62, 30))
_GRAY = ((196, 194, 190), (150, 148, 146))

ATTRIBUTE_NAMES = (
    "Female", "AgeOver60", "Age18-60", "AgeLess18", "Front", "Side", "Back", "Hat", "Glasses",
    "HandBag", "ShoulderBag", "Backpack", "HoldObjectsInFront", "ShortSleeve", "LongSleeve",
    "UpperStride", "UpperLogo", "UpperPlaid", "UpperSplice", "LowerStripe", "LowerPattern",
    "LongCoat", "Trousers", "Shorts", "Skirt&Dress", "boots",
)  # fmt: skip
"""The 26 attributes of PA-100K, in its order."""

MAX_LOOK_ALIKES = 6
"""Maximum number of people that one detail can distinguish."""

_TWO_DETAILS = 0.3
"""Share of the groups that differ in two details."""


@dataclass(frozen=True)
class Appearance:
    """A person: body, hair, clothes and bags.

    Attributes:
        female: Whether the hips are wide and the shoulders narrow, or the other way round.
        age: A child has a large head and short legs; an old person is bent and has gray hair.
        height: Relative to the average of the age.
        girth: Width of body and limbs, relative to the average.
        skin: Color of the skin.
        hair: Color of the hair.
        hair_style: Style of the hair.
        hat: Kind of hat.
        hat_color: Color of the hat.
        glasses: None, with clear glass, or dark.
        outer: Upper garment: a shirt, or a garment that reaches to the knees.
        sleeves: Length of the sleeves.
        top: Color of the upper garment.
        accent: Its second color, that of the pattern.
        pattern: Its pattern; "open" shows a shirt below in the accent, from the front.
        print: A shape on the chest, and on the back.
        print_color: Of the print.
        scarf: Whether there is one.
        scarf_color: Of the scarf.
        lower: Lower garment.
        bottom: Its color.
        bottom_accent: Its second color.
        bottom_pattern: "stripe" is a line down the side, "dots" are all over.
        shoes: Color of the shoes.
        boots: Whether they reach to the knees.
        bag: Kind of bag.
        bag_color: Of the bag.
        bag_side: The hand or hip it is at: -1 the right, 1 the left one.
        holds: Whether the hands hold a parcel in front.
        parcel: Color of the parcel.
    """

    female: bool
    age: Literal["child", "adult", "old"]
    height: float
    girth: float
    skin: Color
    hair: Color
    hair_style: Literal["short", "long", "tail", "bald"]
    hat: Literal["none", "cap", "beanie", "brim"]
    hat_color: Color
    glasses: Literal["none", "clear", "dark"]
    outer: Literal["shirt", "coat"]
    sleeves: Literal["short", "long"]
    top: Color
    accent: Color
    pattern: Literal["plain", "stripes", "plaid", "splice", "open"]
    print: Print
    print_color: Color
    scarf: bool
    scarf_color: Color
    lower: Literal["trousers", "shorts", "skirt"]
    bottom: Color
    bottom_accent: Color
    bottom_pattern: Literal["plain", "stripe", "dots"]
    shoes: Color
    boots: bool
    bag: Literal["none", "backpack", "shoulder", "hand"]
    bag_color: Color
    bag_side: float
    holds: bool
    parcel: Color

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Appearance":
        """Draw a person at random."""
        tone = rng.random()
        female = rng.random() < 0.5
        age = choose(rng, child=0.1, adult=0.76, old=0.14)
        outer = choose(rng, shirt=0.85, coat=0.15)
        pattern = choose(rng, plain=0.4, stripes=0.15, plaid=0.13, splice=0.16, open=0.16)
        top = _cloth(rng, neutral=0.35)
        printed = outer == "shirt" and pattern in ("plain", "splice") and rng.random() < 0.6
        lower = choose(rng, trousers=0.64, shorts=0.18, skirt=0.18)
        if outer == "coat" and lower == "shorts":  # shorts would look like a skirt
            lower = "skirt"
        bottom = _cloth(rng, neutral=0.6)
        bag = choose(rng, none=0.4, backpack=0.22, shoulder=0.2, hand=0.18)
        return cls(
            female=female,
            age=age,
            height=rng.uniform(0.93, 1.03),
            girth=rng.uniform(0.86, 1.22),
            skin=(96 + 138 * tone, 64 + 126 * tone, 48 + 114 * tone),
            hair=_one_of(rng, _GRAY if age == "old" else _HAIR),
            hair_style=choose(rng, short=0.2, long=0.5, tail=0.3)
            if female
            else choose(rng, short=0.76, long=0.1, tail=0.02, bald=0.12),
            hat=choose(rng, none=0.76, cap=0.1, beanie=0.08, brim=0.06),
            hat_color=_one_of(rng, VIVID),
            glasses=choose(rng, none=0.72, clear=0.15, dark=0.13),
            outer=outer,
            sleeves="long" if outer == "coat" else choose(rng, short=0.5, long=0.5),
            top=top,
            accent=_unlike(rng, top),
            pattern=pattern,
            print=_one_of(rng, PRINTS) if printed else "none",
            print_color=contrasting(rng, top),
            scarf=rng.random() < 0.1,
            scarf_color=_one_of(rng, VIVID),
            lower=lower,
            bottom=bottom,
            bottom_accent=_unlike(rng, bottom),
            bottom_pattern=choose(rng, plain=0.72, stripe=0.14, dots=0.14)
            if lower != "skirt"
            else choose(rng, plain=0.75, dots=0.25),
            shoes=_one_of(rng, VIVID) if rng.random() < 0.5 else _cloth(rng, neutral=0.9),
            boots=rng.random() < (0.06 if lower == "trousers" else 0.2),
            bag=bag,
            bag_color=_cloth(rng, neutral=0.4),
            bag_side=-1.0 if rng.random() < 0.5 else 1.0,
            holds=bag != "hand" and rng.random() < 0.12,
            parcel=_cloth(rng, neutral=0.3),
        )


@lru_cache(maxsize=4096)
def appearance(seed: int, identity: int, group: int) -> Appearance:
    """Return an identity's appearance, where `group` consecutive ones are look-alikes."""
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
    """Return the details in which an identity differs from its look-alikes, if there are any."""
    if group == 1:
        return ()
    return _chosen(np.random.default_rng([seed, 3, identity - identity % group]))


def _chosen(rng: np.random.Generator) -> tuple[str, ...]:
    """Draw one or two of the details, in the order of the table."""
    order = rng.permutation(len(_DETAILS))
    chosen = order[: 2 if rng.random() < _TWO_DETAILS else 1]
    return tuple(detail for number, detail in enumerate(_DETAILS) if number in chosen)


def _print(person: Appearance, rng: np.random.Generator, member: int) -> dict[str, Any]:
    # The print must not be covered.
    return {
        "outer": "shirt",
        "pattern": "plain",
        "print": PRINTS[rng.permutation(len(PRINTS))[member]],
        "print_color": [contrasting(rng, person.top) for _ in range(MAX_LOOK_ALIKES)][member],
        "holds": False,
        "scarf": False,
        "hair_style": "short" if person.hair_style in ("long", "tail") else person.hair_style,
        "bag": "none" if person.bag == "backpack" else person.bag,
    }


def _shoes(_: Appearance, rng: np.random.Generator, member: int) -> dict[str, Any]:
    return {"boots": False, "shoes": _vivid(rng, member)}


def _hat(person: Appearance, rng: np.random.Generator, member: int) -> dict[str, Any]:
    hat = "beanie" if person.hat == "none" else person.hat
    return {"hat": hat, "hat_color": _vivid(rng, member)}


def _bag(person: Appearance, rng: np.random.Generator, member: int) -> dict[str, Any]:
    bag = person.bag if person.bag in ("hand", "shoulder") else "hand"
    return {"bag": bag, "holds": False, "bag_color": _vivid(rng, member)}


def _scarf(_: Appearance, rng: np.random.Generator, member: int) -> dict[str, Any]:
    return {"scarf": True, "scarf_color": _vivid(rng, member)}


def _vivid(rng: np.random.Generator, member: int) -> tuple[float, float, float]:
    """Return the vivid color of a member, in a random order of the group."""
    return VIVID[rng.permutation(len(VIVID))[member]]


_DETAILS: dict[str, Callable[[Appearance, np.random.Generator, int], dict[str, Any]]] = {
    "print": _print,
    "shoes": _shoes,
    "hat": _hat,
    "bag": _bag,
    "scarf": _scarf,
}
"""For each detail, a function that returns the changed fields of a member of a group."""


def image_attributes(person: Appearance, facing: str) -> NDArray[np.uint8]:
    """Return the attributes of an image of a person: array (26,), uint8, 0 or 1.

    Glasses and objects held in front are not labeled in images from behind.
    """
    behind = facing == "back"
    values = {
        "Female": person.female,
        "AgeOver60": person.age == "old",
        "Age18-60": person.age == "adult",
        "AgeLess18": person.age == "child",
        "Front": facing == "front",
        "Side": facing == "side",
        "Back": behind,
        "Hat": person.hat != "none",
        "Glasses": person.glasses != "none" and not behind,
        "HandBag": person.bag == "hand",
        "ShoulderBag": person.bag == "shoulder",
        "Backpack": person.bag == "backpack",
        "HoldObjectsInFront": person.holds and not behind,
        "ShortSleeve": person.sleeves == "short",
        "LongSleeve": person.sleeves == "long",
        "UpperStride": person.pattern == "stripes",
        "UpperLogo": person.print != "none",
        "UpperPlaid": person.pattern == "plaid",
        "UpperSplice": person.pattern == "splice",
        "LowerStripe": person.bottom_pattern == "stripe",
        "LowerPattern": person.bottom_pattern == "dots",
        "LongCoat": person.outer == "coat",
        "Trousers": person.lower == "trousers",
        "Shorts": person.lower == "shorts",
        "Skirt&Dress": person.lower == "skirt",
        "boots": person.boots,
    }
    return np.array([values[name] for name in ATTRIBUTE_NAMES], np.uint8)


def choose(rng: np.random.Generator, **shares: float) -> Any:
    """Draw one of the names with the given probabilities, which add up to 1."""
    names, edges = list(shares), list(accumulate(shares.values()))
    return names[min(bisect(edges, rng.random()), len(names) - 1)]


def contrast(one: Color, other: Color) -> float:
    """Return the distance of two colors, 0..765."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def contrasting(rng: np.random.Generator, ground: Color) -> Color:
    """Draw one of the vivid colors that contrast with the ground."""
    return _one_of(rng, [color for color in VIVID if contrast(color, ground) > 200])


def _one_of(rng: np.random.Generator, options: Any) -> Any:
    return options[rng.integers(len(options))]


def _unlike(rng: np.random.Generator, color: Color) -> Color:
    """Draw the color of another piece of clothing that contrasts with the first."""
    others = [_cloth(rng, neutral=0.35) for _ in range(3)]
    return max(others, key=lambda other: contrast(other, color))


def _cloth(rng: np.random.Generator, neutral: float) -> Color:
    """Draw the color of a piece of clothing; a gray with probability `neutral`."""
    value = rng.uniform(30, 225)
    if rng.random() < neutral:
        tint = rng.uniform(-8, 8)
        return value + tint, value, value - tint
    hue, saturation = rng.uniform(0, 6), rng.uniform(0.35, 0.9)
    # A hue's share of red, green and blue: full within 1 of its own place, none beyond 2.
    red, green, blue = (
        min(max(2 - min(abs(hue - place), 6 - abs(hue - place)), 0), 1) for place in (0, 2, 4)
    )
    value = 60 + value * 0.8
    return (
        value * (1 - saturation * (1 - red)),
        value * (1 - saturation * (1 - green)),
        value * (1 - saturation * (1 - blue)),
    )
