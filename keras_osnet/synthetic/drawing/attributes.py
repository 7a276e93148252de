"""What is labelled of a picture: the 26 attributes of PA-100K, in its order."""

import numpy as np
from numpy.typing import NDArray

from keras_osnet.synthetic.drawing.appearance import Appearance
from keras_osnet.synthetic.drawing.pose import Facing

ATTRIBUTE_NAMES = (
    "Female", "AgeOver60", "Age18-60", "AgeLess18", "Front", "Side", "Back", "Hat", "Glasses",
    "HandBag", "ShoulderBag", "Backpack", "HoldObjectsInFront", "ShortSleeve", "LongSleeve",
    "UpperStride", "UpperLogo", "UpperPlaid", "UpperSplice", "LowerStripe", "LowerPattern",
    "LongCoat", "Trousers", "Shorts", "Skirt&Dress", "boots",
)  # fmt: skip


def picture_attributes(person: Appearance, facing: Facing) -> NDArray[np.uint8]:
    """The attributes of a picture of a person: array (26,), uint8, 0 or 1.

    What only a face and two hands in front could tell is not labelled in pictures from behind.
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
