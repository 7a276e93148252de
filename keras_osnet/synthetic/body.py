"""Drawing a person, from the shadow on the ground to the near arm, with clothes and bags."""

import numpy as np

from keras_osnet.synthetic.appearance import Appearance
from keras_osnet.synthetic.figure import (
    Figure,
    draw_head,
    draw_long_hair,
    lower_pattern,
    upper_pattern,
)
from keras_osnet.synthetic.pose import Pose, Position
from keras_osnet.synthetic.shapes import Canvas


def draw_figure(canvas: Canvas, person: Appearance, pose: Pose) -> None:
    """Draw a person, from the back of the scene to the front."""
    figure = Figure(canvas, person, pose)
    _shadow(figure)
    order = sorted((0, 1), key=lambda side: figure.depth(figure.bones.elbows[side]))
    behind = [side for side in order if figure.depth(figure.bones.elbows[side]) < -0.045]
    if person.bag == "backpack" and figure.cosine > -0.1:
        _backpack(figure)
    for side in behind:
        _arm(figure, side)
    for side in sorted((0, 1), key=lambda side: figure.depth(figure.bones.knees[side])):
        _leg(figure, side)
    if person.hair_style == "long" and figure.cosine > 0:
        draw_long_hair(figure)
    _trunk(figure)
    draw_head(figure)
    if person.scarf:
        _scarf(figure)
    if person.hair_style in ("long", "tail") and figure.cosine <= 0:
        draw_long_hair(figure)
    _straps(figure)
    for side in order:
        if side not in behind:
            _arm(figure, side)
    if person.holds and figure.cosine > -0.5:
        _parcel(figure)
    if person.bag == "backpack" and figure.cosine <= -0.1:
        _backpack(figure)


def _shadow(figure: Figure) -> None:
    """Draw the shadow on the ground; without it a figure seems to float."""
    scale, (x, y) = figure.pose.scale, figure.pose.foot
    y -= 0.02 * scale
    aside = -0.5 * float(figure.canvas.light)
    flat = 0.25 + figure.pose.elevation
    figure.canvas.darken(
        figure.canvas.ball((x + aside * 0.4 * scale, y), 0.26 * scale, 0.09 * flat * scale), 0.55
    )
    for ankle in figure.bones.ankles:
        x, y = figure.at((ankle[0], 0.012, ankle[2] + 0.02))
        figure.canvas.darken(figure.canvas.ball((x, y), 0.07 * scale, 0.022 * scale), 0.75)


def _leg(figure: Figure, side: int) -> None:
    """Draw a leg with its garment and shoe."""
    person, bones, girth = figure.person, figure.bones, figure.girth
    hip, knee, ankle, toe = (
        pair[side] for pair in (bones.hips, bones.knees, bones.ankles, bones.toes)
    )
    far = figure.depth(knee) < figure.depth(bones.knees[1 - side]) - 0.02
    dim = 0.84 if far else 1.0  # the leg behind is darker
    loose = 1.0 if person.lower == "trousers" else 0.88
    shin = person.bottom if person.lower == "trousers" else person.skin
    thigh = person.skin if person.lower == "skirt" else person.bottom
    lower = figure.limb(knee, ankle, 0.036 * girth * loose, 0.026 * girth * loose)
    figure.paint(lower, shin, dim)
    upper = figure.limb(hip, knee, 0.052 * girth, 0.038 * girth)
    if person.lower == "shorts":  # down to just above the knee, and wider
        figure.paint(figure.limb(hip, knee, 0.048 * girth, 0.036 * girth), person.skin, dim)
        hem = _between(hip, knee, 0.8)
        upper = figure.limb(hip, hem, 0.055 * girth, 0.051 * girth)
    figure.paint(upper, thigh, dim)
    if person.lower != "skirt":
        lower_pattern(figure, upper, side, dim)
        if person.lower == "trousers":
            lower_pattern(figure, lower, side, dim)
    _shoe(figure, knee, ankle, toe, dim)


def _shoe(figure: Figure, knee: Position, ankle: Position, toe: Position, dim: float) -> None:
    """Draw a shoe with its sole, or a boot."""
    person, girth = figure.person, 0.6 + 0.4 * figure.girth
    color = person.shoes
    if person.boots:
        top = _between(knee, ankle, 0.32)
        figure.paint(figure.limb(top, ankle, 0.041 * girth, 0.032 * girth), color, dim)
    heel = (ankle[0], ankle[1] - 0.012, ankle[2] - 0.012)
    sole = (0.0, -0.011, 0.0)
    bright = sum(color) > 330
    rim = tuple(channel * (0.45 if bright else 1.7) + 8 for channel in color)
    figure.paint(
        figure.limb(_moved(heel, sole), _moved(toe, sole), 0.0225 * girth, 0.019 * girth),
        (rim[0], rim[1], rim[2]),
        dim,
    )
    figure.paint(figure.limb(heel, toe, 0.0255 * girth, 0.0205 * girth), color, dim)
    figure.paint(figure.limb(ankle, heel, 0.023 * girth, 0.0255 * girth), color, dim)


def _trunk(figure: Figure) -> None:
    """Draw hips, garments and neck."""
    person, bones, girth = figure.person, figure.bones, figure.girth
    figure.paint(figure.limb(bones.neck, bones.head, 0.03, 0.028), person.skin, 0.8)
    pelvis, span = bones.pelvis, bones.span
    hips = (0.089 if person.female else 0.081) * girth
    if person.lower == "skirt":
        _skirt(figure, hips)
    else:
        block = figure.tube(
            [pelvis[1] + 0.11 * span, pelvis[1], pelvis[1] - 0.06],
            [hips * 0.95, hips, hips * 0.8],
            0.78,
        )
        figure.paint(block, person.bottom)
    chest = (0.098 if person.female else 0.108) * (0.5 + 0.5 * girth)
    waist = (0.069 if person.female else 0.086) * girth * (0.97 if person.age != "old" else 1.1)
    heights = [1.04, 0.985, 0.93, 0.86, 0.7, 0.4, 0.16, 0.02]
    widths = [0.028, 0.05, 0.8 * chest, chest, 0.95 * chest, waist, hips, hips * 1.02]
    if person.outer == "coat":
        heights += [-0.35, -0.72]
        widths += [hips * 1.1 + 0.05 * figure.pose.stride, hips * 1.15 + 0.1 * figure.pose.stride]
    surface = figure.tube([pelvis[1] + share * span for share in heights], widths, 0.68)
    figure.paint(surface, person.top)
    upper_pattern(figure, surface, chest, (heights[0] - heights[-1]) * span)


def _skirt(figure: Figure, hips: float) -> None:
    """Draw a skirt from the waist to above the knees."""
    pelvis, knee = figure.bones.pelvis[1], max(knee[1] for knee in figure.bones.knees)
    hem = hips * 1.3 + 0.12 * figure.pose.stride
    surface = figure.tube(
        [pelvis + 0.06, pelvis, pelvis + 0.8 * (knee - pelvis)], [hips * 0.9, hips, hem], 0.85
    )
    figure.paint(surface, figure.person.bottom)
    lower_pattern(figure, surface, 0, 1.0)


def _scarf(figure: Figure) -> None:
    """Draw a scarf around the neck, with an end that hangs down in front."""
    neck, color = figure.bones.neck, figure.person.scarf_color
    if figure.cosine > -0.3:
        start = (0.025, neck[1] - 0.01, neck[2] + 0.055)
        figure.paint(figure.limb(start, _moved(start, (0.012, -0.12, 0.02)), 0.02, 0.022), color)
    x = 0.034
    figure.paint(
        figure.limb(
            (-x * figure.cosine, neck[1] + 0.012, neck[2] + 0.01 + x * figure.sine),
            (x * figure.cosine, neck[1] + 0.012, neck[2] + 0.01 - x * figure.sine),
            0.025,
            0.025,
        ),
        color,
    )


def _arm(figure: Figure, side: int) -> None:
    """Draw an arm with its sleeve, and the bag in its hand."""
    person, bones = figure.person, figure.bones
    shoulder, elbow, hand = (pair[side] for pair in (bones.shoulders, bones.elbows, bones.hands))
    thick = (0.92 if person.female else 1.0) * (0.45 + 0.55 * figure.girth)
    dim = 0.82 if figure.depth(elbow) < -0.03 else 1.0
    sleeve = person.accent if person.pattern == "splice" else person.top
    wrist = _between(elbow, hand, 0.84)
    # A thin dark line separates the arm from a trunk of the same color.
    figure.paint(figure.limb(shoulder, elbow, 0.035 * thick, 0.034 * thick), (0, 0, 0), 1.0, 0.22)
    figure.paint(figure.ball(hand, 0.0205, 0.025), person.skin, dim)
    fore = figure.limb(elbow, wrist, 0.026 * thick, 0.0195 * thick)
    if person.sleeves == "long":
        figure.paint(figure.limb(elbow, wrist, 0.029 * thick, 0.024 * thick), sleeve, dim)
        cuff = shoulder, elbow
    else:
        figure.paint(fore, person.skin, dim)
        figure.paint(figure.limb(shoulder, elbow, 0.028 * thick, 0.026 * thick), person.skin, dim)
        cuff = shoulder, _between(shoulder, elbow, 0.62)
    figure.paint(figure.limb(*cuff, 0.0315 * thick, 0.031 * thick), sleeve, dim)
    if person.bag == "hand" and (side == 1) == (person.bag_side > 0):
        _handbag(figure, hand)


def _backpack(figure: Figure) -> None:
    """Draw a backpack, which from the front is visible beside the trunk only."""
    neck, pelvis = figure.bones.neck, figure.bones.pelvis
    span = figure.bones.span
    z = neck[2] - 0.085 * figure.girth
    color = figure.person.bag_color
    half = figure.half(0.094, 0.052)
    places = [figure.at((0.0, pelvis[1] + share * span, z)) for share in (0.98, 0.9, 0.3, 0.22)]
    surface = figure.canvas.profile(
        [y for _, y in places],
        [x for x, _ in places],
        [half * 0.7, half * 0.95, half, half * 0.85],
    )
    figure.paint(surface, color)
    if figure.cosine < -0.3:  # its pocket
        low = [figure.at((0.0, pelvis[1] + share * span, z)) for share in (0.55, 0.53, 0.3, 0.27)]
        pocket = figure.canvas.profile(
            [y for _, y in low],
            [x for x, _ in low],
            [half * 0.6, half * 0.7, half * 0.7, half * 0.6],
        )
        figure.paint(pocket, color, 0.78)


def _straps(figure: Figure) -> None:
    """Draw the straps of a backpack or a shoulder bag, and the shoulder bag itself."""
    person, neck, pelvis = figure.person, figure.bones.neck, figure.bones.pelvis
    span = figure.bones.span
    deep = neck[2] + 0.07 * (0.5 + 0.5 * figure.girth)
    if person.bag == "backpack" and figure.cosine > -0.1:
        for x in (-0.062, 0.062):
            top = (x, neck[1] - 0.03, neck[2] + 0.02)
            end = (x * 1.12, neck[1] - 0.5 * span, deep)
            figure.paint(figure.limb(top, end, 0.0125, 0.0125), person.bag_color, 0.8)
    elif person.bag == "shoulder":
        side = person.bag_side
        front = 1.0 if figure.cosine > 0 else -1.0
        hip = (side * 0.115 * figure.girth, pelvis[1] - 0.01, 0.02 * front)
        top = (-side * 0.06, neck[1] - 0.02, neck[2] + 0.02 * front)
        if abs(figure.cosine) > 0.3:
            figure.paint(figure.limb(top, hip, 0.0085, 0.0085), person.bag_color, 0.7)
        if figure.depth(hip) > -0.09:
            _case(figure, hip, 0.056, 0.095, flap=True)


def _handbag(figure: Figure, hand: Position) -> None:
    """Draw a bag that hangs from a hand."""
    top = (hand[0], hand[1] - 0.005, hand[2])
    middle = (hand[0], hand[1] - 0.07, hand[2])
    figure.paint(figure.limb(top, middle, 0.009, 0.02), figure.person.bag_color, 0.6)
    _case(figure, middle, 0.05, 0.1, flap=False)


def _parcel(figure: Figure) -> None:
    """Draw a parcel that both hands hold in front."""
    one, other = figure.bones.hands
    middle = ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2 + 0.025, (one[2] + other[2]) / 2)
    x, y = figure.at(middle)
    half = figure.half(0.088, 0.06)
    tall = 0.058 * figure.pose.scale
    box = figure.canvas.profile([y - tall, y + tall], [x, x], [half, half])
    figure.paint(box, figure.person.parcel)
    tape = np.abs(box.across) < 0.12
    figure.paint(box.where(tape), (204, 184, 140), opacity=0.8)


def _case(figure: Figure, place: Position, deep: float, tall: float, *, flap: bool) -> None:
    """Draw a bag whose broad side faces the body's side."""
    x, y = figure.at(place)
    half = figure.half(0.032, deep + 0.012)
    tall *= figure.pose.scale
    color = figure.person.bag_color
    bag = figure.canvas.profile(
        [y, y + 0.12 * tall, y + 0.88 * tall, y + tall],
        [x] * 4,
        [half * 0.85, half * 0.97, half * 1.03, half * 0.9],
    )
    figure.paint(bag, color)
    if flap:
        figure.paint(bag.where(bag.along < 0.45), color, 0.75)


def _between(start: Position, end: Position, share: float) -> Position:
    return (
        start[0] + share * (end[0] - start[0]),
        start[1] + share * (end[1] - start[1]),
        start[2] + share * (end[2] - start[2]),
    )


def _moved(place: Position, by: Position) -> Position:
    return place[0] + by[0], place[1] + by[1], place[2] + by[2]
