"""A person for the synthetic pictures: looks that stay, and poses that change."""

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

import numpy as np

from keras_osnet.data._shapes import Colour, Point

_HAIR = ((28, 24, 24), (62, 42, 30), (110, 74, 44), (196, 164, 104), (150, 148, 146), (140, 62, 30))


@dataclass(frozen=True)
class Appearance:
    """What stays the same in all pictures of one person: body, hair and clothes.

    Attributes:
        height: Relative to the average.
        girth: Width of body and limbs, relative to the average.
        skin: Colour of the skin.
        hair: Colour of the hair.
        hair_style: Short, long, or a cap in `accent` over short hair.
        top: Colour of shirt or jacket.
        accent: Second colour of the top.
        pattern: What the top shows in `accent`. "logo" and "open" are seen from the front only.
        long_sleeves: Whether the sleeves reach the hands.
        bottom: Colour of what is worn below.
        bottom_style: Trousers, shorts or skirt.
        shoes: Colour of the shoes.
        bag_style: None, a backpack, or a bag over the shoulder.
        bag: Colour of the bag.
    """

    height: float
    girth: float
    skin: Colour
    hair: Colour
    hair_style: Literal["short", "long", "cap"]
    top: Colour
    accent: Colour
    pattern: Literal["plain", "stripes", "block", "logo", "open"]
    long_sleeves: bool
    bottom: Colour
    bottom_style: Literal["trousers", "shorts", "skirt"]
    shoes: Colour
    bag_style: Literal["none", "backpack", "shoulder"]
    bag: Colour

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Appearance":
        """A person at random."""
        tone = rng.random()
        return cls(
            height=rng.uniform(0.9, 1.04),
            girth=rng.uniform(0.85, 1.25),
            skin=(92 + 150 * tone, 62 + 138 * tone, 46 + 128 * tone),
            hair=_HAIR[rng.integers(len(_HAIR))],
            hair_style=_choose(rng, short=0.5, long=0.35, cap=0.15),
            top=_cloth(rng, neutral=0.35),
            accent=_cloth(rng, neutral=0.35),
            pattern=_choose(rng, plain=0.4, stripes=0.15, block=0.15, logo=0.15, open=0.15),
            long_sleeves=rng.random() < 0.55,
            bottom=_cloth(rng, neutral=0.7),
            bottom_style=_choose(rng, trousers=0.65, shorts=0.2, skirt=0.15),
            shoes=_cloth(rng, neutral=0.8),
            bag_style=_choose(rng, none=0.5, backpack=0.25, shoulder=0.25),
            bag=_cloth(rng, neutral=0.4),
        )


@dataclass(frozen=True)
class Pose:
    """What changes from picture to picture.

    Attributes:
        facing: Which side of the person is seen; "left" walks to the left.
        stride: -1..1, how far apart the legs are and which is in front.
        bend: 0..1, how far the arms are bent.
        foot: Where the person stands, (x, y) in pixels.
        scale: Pixels that a person of average height measures.
    """

    facing: Literal["front", "back", "left", "right"]
    stride: float
    bend: float
    foot: Point
    scale: float

    @classmethod
    def draw(cls, rng: np.random.Generator, height: int, width: int) -> "Pose":
        """A pose at random that fits a picture, somewhat like a detector's box does."""
        return cls(
            facing=_choose(rng, front=0.3, back=0.3, left=0.2, right=0.2),
            stride=rng.uniform(-1, 1),
            bend=rng.random(),
            foot=(width * rng.uniform(0.42, 0.58), height * rng.uniform(0.92, 0.99)),
            # In a crop wider than 1:2 the height decides; in a narrower one, the width.
            scale=min(height, width * 2.2) * rng.uniform(0.82, 0.95),
        )


def _choose(rng: np.random.Generator, **shares: float) -> Any:
    """One of the names, each with its share of probability; they add up to one."""
    names, edges = list(shares), list(accumulate(shares.values()))
    return names[min(bisect(edges, rng.random()), len(names) - 1)]


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
