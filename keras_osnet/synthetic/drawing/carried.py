"""Drawing what somebody carries: a backpack, bags, a parcel."""

import numpy as np

from keras_osnet.synthetic.drawing.figure import Figure
from keras_osnet.synthetic.drawing.pose import Place


def backpack(figure: Figure) -> None:
    """A backpack, which from the front is seen beside the trunk only."""
    neck, pelvis = figure.bones.neck, figure.bones.pelvis
    span = figure.bones.span
    z = neck[2] - 0.085 * figure.girth
    colour = figure.person.bag_colour
    half = figure.half(0.094, 0.052)
    places = [figure.at((0.0, pelvis[1] + share * span, z)) for share in (0.98, 0.9, 0.3, 0.22)]
    surface = figure.canvas.profile(
        [y for _, y in places],
        [x for x, _ in places],
        [half * 0.7, half * 0.95, half, half * 0.85],
    )
    figure.paint(surface, colour)
    if figure.cosine < -0.3:  # its pocket
        low = [figure.at((0.0, pelvis[1] + share * span, z)) for share in (0.55, 0.53, 0.3, 0.27)]
        pocket = figure.canvas.profile(
            [y for _, y in low],
            [x for x, _ in low],
            [half * 0.6, half * 0.7, half * 0.7, half * 0.6],
        )
        figure.paint(pocket, colour, 0.78)


def straps(figure: Figure) -> None:
    """What holds a backpack or a shoulder bag, and the shoulder bag itself."""
    person, neck, pelvis = figure.person, figure.bones.neck, figure.bones.pelvis
    span = figure.bones.span
    deep = neck[2] + 0.07 * (0.5 + 0.5 * figure.girth)
    if person.bag == "backpack" and figure.cosine > -0.1:
        for x in (-0.062, 0.062):
            top = (x, neck[1] - 0.03, neck[2] + 0.02)
            end = (x * 1.12, neck[1] - 0.5 * span, deep)
            figure.paint(figure.limb(top, end, 0.0125, 0.0125), person.bag_colour, 0.8)
    elif person.bag == "shoulder":
        side = person.bag_side
        front = 1.0 if figure.cosine > 0 else -1.0
        hip = (side * 0.115 * figure.girth, pelvis[1] - 0.01, 0.02 * front)
        top = (-side * 0.06, neck[1] - 0.02, neck[2] + 0.02 * front)
        if abs(figure.cosine) > 0.3:
            figure.paint(figure.limb(top, hip, 0.0085, 0.0085), person.bag_colour, 0.7)
        if figure.depth(hip) > -0.09:
            _case(figure, hip, 0.056, 0.095, flap=True)


def handbag(figure: Figure, hand: Place) -> None:
    """A bag that hangs from a hand."""
    top = (hand[0], hand[1] - 0.005, hand[2])
    middle = (hand[0], hand[1] - 0.07, hand[2])
    figure.paint(figure.limb(top, middle, 0.009, 0.02), figure.person.bag_colour, 0.6)
    _case(figure, middle, 0.05, 0.1, flap=False)


def parcel(figure: Figure) -> None:
    """What both hands hold in front."""
    one, other = figure.bones.hands
    middle = ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2 + 0.025, (one[2] + other[2]) / 2)
    x, y = figure.at(middle)
    half = figure.half(0.088, 0.06)
    tall = 0.058 * figure.pose.scale
    box = figure.canvas.profile([y - tall, y + tall], [x, x], [half, half])
    figure.paint(box, figure.person.parcel)
    tape = np.abs(box.across) < 0.12
    figure.paint(box.where(tape), (204, 184, 140), opacity=0.8)


def _case(figure: Figure, place: Place, deep: float, tall: float, *, flap: bool) -> None:
    """A bag whose broad side is the body's side."""
    x, y = figure.at(place)
    half = figure.half(0.032, deep + 0.012)
    tall *= figure.pose.scale
    colour = figure.person.bag_colour
    bag = figure.canvas.profile(
        [y, y + 0.12 * tall, y + 0.88 * tall, y + tall],
        [x] * 4,
        [half * 0.85, half * 0.97, half * 1.03, half * 0.9],
    )
    figure.paint(bag, colour)
    if flap:
        figure.paint(bag.where(bag.along < 0.45), colour, 0.75)
