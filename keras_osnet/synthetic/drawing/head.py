"""Drawing a head: face, hair, hat and glasses."""

import numpy as np

from keras_osnet.synthetic.drawing.figure import Figure
from keras_osnet.synthetic.drawing.pose import turn
from keras_osnet.synthetic.drawing.shapes import Surface


def draw_head(figure: Figure) -> None:
    """Draw the head, turned as in the pose."""
    person, bones = figure.person, figure.bones
    radius = bones.head_radius
    cosine, sine = turn(figure.pose.yaw + figure.pose.nod)
    wide, deep = 0.74 * radius, 0.88 * radius
    half = ((wide * cosine) ** 2 + (deep * sine) ** 2) ** 0.5
    if person.hair_style == "tail" and cosine > -0.3:
        knot = (bones.head[0], bones.head[1] + 0.3 * radius, bones.head[2] - 1.05 * radius)
        figure.paint(figure.ball(knot, 0.4 * radius, 0.45 * radius), person.hair)
    skull = figure.ball(bones.head, half, radius)
    figure.paint(skull, person.skin)
    side, front = skull.turned(cosine * wide / half, sine * deep / half)
    up = skull.along
    # Eyes and mouth are mere shades.
    for x in (-0.36, 0.36):
        eye = (np.abs(side - np.float32(x)) < 0.15) & (np.abs(up - np.float32(0.02)) < 0.09)
        figure.paint(skull.where(eye & (front > 0)), (44, 34, 32), opacity=0.62)
    mouth = (np.abs(side) < 0.24) & (np.abs(up + np.float32(0.5)) < 0.06) & (front > 0)
    figure.paint(skull.where(mouth), (128, 58, 54), opacity=0.5)

    if person.hair_style != "bald":
        low = {"short": -0.25, "long": -0.8, "tail": -0.3}[person.hair_style]
        hair = figure.ball(
            (bones.head[0], bones.head[1] + 0.05 * radius, bones.head[2]),
            half * 1.07,
            radius * 1.06,
        )
        side, front = hair.turned(cosine * wide / half, sine * deep / half)
        up = hair.along
        covered = (up > np.float32(0.4) + np.float32(0.18) * side) | (
            (front < np.float32(0.1)) & (up > np.float32(low))
        )
        figure.paint(hair.where(covered), person.hair)
    if person.glasses != "none":
        _glasses(figure, skull, cosine * wide / half, sine * deep / half)
    if person.hat != "none":
        _hat(figure, half, cosine, sine)


def draw_long_hair(figure: Figure) -> None:
    """Draw hair that falls on the back, or a ponytail."""
    person, bones = figure.person, figure.bones
    radius, head = bones.head_radius, bones.head
    if person.hair_style == "tail":
        top = (0.0, head[1] + 0.3 * radius, head[2] - 0.95 * radius)
        end = (0.0, head[1] - 1.5 * radius, head[2] - 1.3 * radius)
        figure.paint(figure.limb(top, end, 0.3 * radius, 0.2 * radius), person.hair)
        return
    top = (0.0, head[1] - 0.1 * radius, head[2] - 0.3 * radius)
    end = (0.0, head[1] - 1.75 * radius, head[2] - 0.75 * radius)
    figure.paint(figure.limb(top, end, 0.82 * radius, 0.72 * radius), person.hair)


def _glasses(figure: Figure, skull: Surface, cosine: float, sine: float) -> None:
    """Draw glasses with bridge and temples."""
    side, front = skull.turned(cosine, sine)
    up = np.abs(skull.along - np.float32(0.05))
    beside = np.abs(np.abs(side) - np.float32(0.4))
    ahead = front > 0
    lens = (beside < 0.3) & (up < 0.2) & ahead
    bar = (up < 0.07) & (front > -0.3)
    figure.paint(skull.where(bar | lens), (20, 20, 24))
    if figure.person.glasses == "clear":
        glass = (beside < 0.18) & (up < 0.1) & ahead
        figure.paint(skull.where(glass), (190, 205, 215))


def _hat(figure: Figure, half: float, cosine: float, sine: float) -> None:
    """Draw a cap with a peak, a beanie, or a hat with a brim."""
    person, bones = figure.person, figure.bones
    radius, (x, y, z) = bones.head_radius, bones.head
    color = person.hat_color
    crown = figure.ball((x, y + 0.14 * radius, z), half * 1.14, radius * 1.04)
    edge = 0.22 if person.hat == "cap" else 0.12
    figure.paint(crown.where(crown.along > np.float32(edge)), color)
    if person.hat == "beanie":
        band = (crown.along > 0.1) & (crown.along < 0.32)
        figure.paint(crown.where(band), color, 0.72)
        return
    rim = figure.at((x, y + 0.38 * radius, z))
    scale = figure.pose.scale
    if person.hat == "brim":
        flat = 0.22 + 0.6 * figure.pose.elevation
        figure.paint(
            figure.canvas.ball(rim, 1.75 * radius * scale, 1.75 * radius * flat * scale),
            color,
            0.8,
        )
        figure.paint(crown.where(crown.along > np.float32(0.3)), color)
    elif cosine > -0.35:
        tip = (
            rim[0] + 1.35 * radius * scale * sine,
            rim[1] + 0.24 * radius * scale * max(cosine, 0),
        )
        figure.paint(
            figure.canvas.limb(
                (rim[0] + 0.5 * radius * scale * sine, rim[1]),
                tip,
                (0.3 + 0.32 * abs(cosine)) * radius * scale,
                (0.12 + 0.5 * abs(cosine)) * radius * scale,
            ),
            color,
            0.72,
        )
        figure.paint(crown.where(crown.along > np.float32(0.34)), color)
