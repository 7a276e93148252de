"""What stands between camera and person in some of the pictures."""

import numpy as np

from keras_osnet.synthetic.drawing.appearance import choose
from keras_osnet.synthetic.drawing.shapes import Canvas


def draw_obstacle(canvas: Canvas, rng: np.random.Generator, share: float) -> None:
    """Put something in front, or, mostly, nothing.

    Args:
        canvas: With the person on it.
        rng: Source of what, and where.
        share: Of the pictures that get something, 0..1.
    """
    # All numbers are drawn in any case, so that what follows does not depend on them.
    there = rng.random() < share
    kind = choose(rng, post=0.4, bush=0.2, bench=0.2, bin=0.2)
    place, size, tone = rng.uniform(-1, 1), rng.random(), rng.uniform(40, 170)
    spots = rng.uniform(-1, 1, (9, 3))
    if not there:
        return
    height, width = canvas.pixels.shape[1:]
    unit = min(height, width * 2.0)
    side = 1.0 if place > 0 else -1.0
    grey = (tone, tone * 0.98, tone * 0.95)
    if kind == "post":  # beside the middle, where it leaves most of the person to be seen
        x = width / 2 + unit * side * (0.07 + 0.12 * abs(place))
        half = unit * (0.012 + 0.016 * size)
        canvas.paint(canvas.profile([0.0, float(height)], [x, x], [half, half]), grey, shade=0.5)
    elif kind == "bush":
        x = width / 2 + unit * side * (0.16 + 0.06 * abs(place))
        for across, up, bright in spots:
            leaf = (0.62 + 0.12 * bright, 1 + 0.2 * bright, 0.45 + 0.1 * bright)
            ball = canvas.ball(
                (x + 0.13 * unit * across, height - 0.09 * unit * (1 + up) * (0.6 + size)),
                0.075 * unit,
                0.065 * unit,
            )
            canvas.paint(ball, (leaf[0] * 100, leaf[1] * 100, leaf[2] * 100))
    elif kind == "bench":  # the legs behind it are hidden, the feet below it not
        top = height - unit * (0.26 + 0.08 * size)
        wood = (tone * 0.9 + 30, tone * 0.68 + 20, tone * 0.45 + 12)
        for row in range(3):
            y = top + 0.042 * unit * row
            middle = width / 2 + unit * side * 0.1
            plank = canvas.profile([y, y + 0.03 * unit], [middle] * 2, [0.2 * unit] * 2)
            canvas.paint(plank, wood, shade=0.1)
    else:
        x = width / 2 + unit * side * (0.13 + 0.05 * abs(place))
        top = height - unit * (0.24 + 0.1 * size)
        can = canvas.profile([top, float(height)], [x, x], [0.07 * unit, 0.06 * unit])
        canvas.paint(can, grey, shade=0.5)
        canvas.paint(can.where(can.along < 0.1), grey, shade=0.9)
