"""Who somebody is: what stays the same in all pictures of one person."""

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

import numpy as np

from keras_osnet.synthetic.drawing.shapes import Colour

Print = Literal["none", "disc", "square", "cross", "triangle", "ring", "bars"]

PRINTS: tuple[Print, ...] = ("disc", "square", "cross", "triangle", "ring", "bars")

VIVID: tuple[Colour, ...] = (
    (228, 226, 220),
    (26, 26, 30),
    (206, 40, 44),
    (232, 196, 48),
    (44, 110, 200),
    (56, 160, 74),
    (236, 126, 38),
    (186, 80, 170),
)
"""Colours that anybody tells apart: of prints, and of what look-alikes differ in."""

_HAIR = ((28, 24, 24), (62, 42, 30), (110, 74, 44), (196, 164, 104), (38, 30, 28), (140, 62, 30))
_GREY = ((196, 194, 190), (150, 148, 146))


@dataclass(frozen=True)
class Appearance:
    """A person: body, hair, clothes and what they carry.

    Attributes:
        female: Whether the hips are wide and the shoulders narrow, or the other way round.
        age: A child has a large head and short legs; somebody old is bent, and has grey hair.
        height: Relative to the average of the age.
        girth: Width of body and limbs, relative to the average.
        skin: Colour of the skin.
        hair: Colour of the hair.
        hair_style: How it is worn.
        hat: What is on it.
        hat_colour: Of the hat.
        glasses: None, with clear glass, or dark.
        outer: What is worn above: a shirt, or something that reaches to the knees.
        sleeves: How long they are.
        top: Colour of what is worn above.
        accent: Its second colour, that of the pattern.
        pattern: What it shows; "open" shows a shirt below in the accent, from the front.
        print: A shape on the chest, and on the back.
        print_colour: Of the print.
        scarf: Whether there is one.
        scarf_colour: Of the scarf.
        lower: What is worn below.
        bottom: Its colour.
        bottom_accent: Its second colour.
        bottom_pattern: "stripe" is a line down the side, "dots" are all over.
        shoes: Colour of the shoes.
        boots: Whether they reach to the knees.
        bag: What is carried.
        bag_colour: Of the bag.
        bag_side: The hand or hip it is at: -1 the right, 1 the left one.
        holds: Whether the hands hold a parcel in front.
        parcel: Colour of the parcel.
    """

    female: bool
    age: Literal["child", "adult", "old"]
    height: float
    girth: float
    skin: Colour
    hair: Colour
    hair_style: Literal["short", "long", "tail", "bald"]
    hat: Literal["none", "cap", "beanie", "brim"]
    hat_colour: Colour
    glasses: Literal["none", "clear", "dark"]
    outer: Literal["shirt", "coat"]
    sleeves: Literal["short", "long"]
    top: Colour
    accent: Colour
    pattern: Literal["plain", "stripes", "plaid", "splice", "open"]
    print: Print
    print_colour: Colour
    scarf: bool
    scarf_colour: Colour
    lower: Literal["trousers", "shorts", "skirt"]
    bottom: Colour
    bottom_accent: Colour
    bottom_pattern: Literal["plain", "stripe", "dots"]
    shoes: Colour
    boots: bool
    bag: Literal["none", "backpack", "shoulder", "hand"]
    bag_colour: Colour
    bag_side: float
    holds: bool
    parcel: Colour

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Appearance":
        """A person at random."""
        tone = rng.random()
        female = rng.random() < 0.5
        age = choose(rng, child=0.1, adult=0.76, old=0.14)
        outer = choose(rng, shirt=0.85, coat=0.15)
        pattern = choose(rng, plain=0.4, stripes=0.15, plaid=0.13, splice=0.16, open=0.16)
        top = _cloth(rng, neutral=0.35)
        printed = outer == "shirt" and pattern in ("plain", "splice") and rng.random() < 0.6
        lower = choose(rng, trousers=0.64, shorts=0.18, skirt=0.18)
        if outer == "coat" and lower == "shorts":  # nobody could tell them from a skirt
            lower = "skirt"
        bottom = _cloth(rng, neutral=0.6)
        bag = choose(rng, none=0.4, backpack=0.22, shoulder=0.2, hand=0.18)
        return cls(
            female=female,
            age=age,
            height=rng.uniform(0.93, 1.03),
            girth=rng.uniform(0.86, 1.22),
            skin=(96 + 138 * tone, 64 + 126 * tone, 48 + 114 * tone),
            hair=_one_of(rng, _GREY if age == "old" else _HAIR),
            hair_style=choose(rng, short=0.2, long=0.5, tail=0.3)
            if female
            else choose(rng, short=0.76, long=0.1, tail=0.02, bald=0.12),
            hat=choose(rng, none=0.76, cap=0.1, beanie=0.08, brim=0.06),
            hat_colour=_one_of(rng, VIVID),
            glasses=choose(rng, none=0.72, clear=0.15, dark=0.13),
            outer=outer,
            sleeves="long" if outer == "coat" else choose(rng, short=0.5, long=0.5),
            top=top,
            accent=_unlike(rng, top),
            pattern=pattern,
            print=_one_of(rng, PRINTS) if printed else "none",
            print_colour=contrasting(rng, top),
            scarf=rng.random() < 0.1,
            scarf_colour=_one_of(rng, VIVID),
            lower=lower,
            bottom=bottom,
            bottom_accent=_unlike(rng, bottom),
            bottom_pattern=choose(rng, plain=0.72, stripe=0.14, dots=0.14)
            if lower != "skirt"
            else choose(rng, plain=0.75, dots=0.25),
            shoes=_one_of(rng, VIVID) if rng.random() < 0.5 else _cloth(rng, neutral=0.9),
            boots=rng.random() < (0.06 if lower == "trousers" else 0.2),
            bag=bag,
            bag_colour=_cloth(rng, neutral=0.4),
            bag_side=-1.0 if rng.random() < 0.5 else 1.0,
            holds=bag != "hand" and rng.random() < 0.12,
            parcel=_cloth(rng, neutral=0.3),
        )


def choose(rng: np.random.Generator, **shares: float) -> Any:
    """One of the names, each with its share of probability; they add up to one."""
    names, edges = list(shares), list(accumulate(shares.values()))
    return names[min(bisect(edges, rng.random()), len(names) - 1)]


def contrast(one: Colour, other: Colour) -> float:
    """How far apart two colours are, 0..765."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def contrasting(rng: np.random.Generator, ground: Colour) -> Colour:
    """One of the vivid colours, at random, that is easily seen on a ground."""
    return _one_of(rng, [colour for colour in VIVID if contrast(colour, ground) > 200])


def _one_of(rng: np.random.Generator, options: Any) -> Any:
    return options[rng.integers(len(options))]


def _unlike(rng: np.random.Generator, colour: Colour) -> Colour:
    """The colour of another piece of cloth that is seen beside the first."""
    others = [_cloth(rng, neutral=0.35) for _ in range(3)]
    return max(others, key=lambda other: contrast(other, colour))


def _cloth(rng: np.random.Generator, neutral: float) -> Colour:
    """The colour of a piece of clothing; black, grey and white with probability `neutral`."""
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
