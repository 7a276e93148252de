"""Drawing a person: body and clothes, from the shadow on the ground to the near arm."""

from keras_osnet.data.drawing import carried
from keras_osnet.data.drawing.appearance import Appearance
from keras_osnet.data.drawing.head import draw_head, draw_long_hair
from keras_osnet.data.drawing.patterns import lower_pattern, upper_pattern
from keras_osnet.data.drawing.pose import Place, Pose, Skeleton, turn
from keras_osnet.data.drawing.shapes import Canvas, Colour, FloatArray, Point, Surface


def draw_figure(canvas: Canvas, person: Appearance, pose: Pose) -> None:
    """Draw a person, from the back of the scene to the front."""
    figure = Figure(canvas, person, pose)
    figure.shadow()
    order = sorted((0, 1), key=lambda side: figure.depth(figure.bones.elbows[side]))
    behind = [side for side in order if figure.depth(figure.bones.elbows[side]) < -0.045]
    if person.bag == "backpack" and figure.cosine > -0.1:
        carried.backpack(figure)
    for side in behind:
        figure.arm(side)
    for side in sorted((0, 1), key=lambda side: figure.depth(figure.bones.knees[side])):
        figure.leg(side)
    if person.hair_style == "long" and figure.cosine > 0:
        draw_long_hair(figure)
    figure.trunk()
    draw_head(figure)
    if person.scarf:
        figure.scarf()
    if person.hair_style in ("long", "tail") and figure.cosine <= 0:
        draw_long_hair(figure)
    carried.straps(figure)
    for side in order:
        if side not in behind:
            figure.arm(side)
    if person.holds and figure.cosine > -0.5:
        carried.parcel(figure)
    if person.bag == "backpack" and figure.cosine <= -0.1:
        carried.backpack(figure)


class Figure:
    """One person in one pose on a canvas.

    Args:
        canvas: To draw on.
        person: Whom.
        pose: In which pose, and where.
    """

    def __init__(self, canvas: Canvas, person: Appearance, pose: Pose) -> None:
        self.canvas = canvas
        self.person = person
        self.pose = pose
        self.bones = Skeleton.of(person, pose)
        self.cosine, self.sine = turn(pose.yaw)
        self.upright = (1 - pose.elevation**2) ** 0.5
        self.girth = person.girth * (0.92 if person.age == "child" else 1.0)

    def depth(self, place: Place) -> float:
        """How much nearer to the camera a place is than the middle of the body."""
        return place[2] * self.cosine - place[0] * self.sine

    def at(self, place: Place) -> Point:
        """Where a place is in the picture, in pixels."""
        x = place[0] * self.cosine + place[2] * self.sine
        down = self.depth(place) * self.pose.elevation - place[1] * self.upright
        return (
            self.pose.foot[0] + self.pose.scale * x,
            self.pose.foot[1] + self.pose.scale * down,
        )

    def limb(self, start: Place, end: Place, start_radius: float, end_radius: float) -> Surface:
        """A part of the body or its clothes between two places."""
        scale = self.pose.scale
        return self.canvas.limb(
            self.at(start), self.at(end), scale * start_radius, scale * end_radius
        )

    def ball(self, place: Place, x_radius: float, y_radius: float) -> Surface:
        """A round part of the body."""
        scale = self.pose.scale
        return self.canvas.ball(self.at(place), scale * x_radius, scale * y_radius)

    def half(self, wide: float, deep: float) -> float:
        """Half the width in pixels of something with an oval cross-section, as it is turned."""
        return self.pose.scale * ((wide * self.cosine) ** 2 + (deep * self.sine) ** 2) ** 0.5

    def oval(self, surface: Surface, wide: float, deep: float) -> tuple[FloatArray, FloatArray]:
        """To the side and to the front, -1..1, on a surface with an oval cross-section."""
        half = self.half(wide, deep) / self.pose.scale
        return surface.turned(wide * self.cosine / half, deep * self.sine / half)

    def shadow(self) -> None:
        """On the ground; without it a figure floats."""
        scale, (x, y) = self.pose.scale, self.pose.foot
        y -= 0.02 * scale
        aside = -0.5 * float(self.canvas.light)
        flat = 0.25 + self.pose.elevation
        self.canvas.darken(
            self.canvas.ball((x + aside * 0.4 * scale, y), 0.26 * scale, 0.09 * flat * scale), 0.55
        )
        for ankle in self.bones.ankles:
            x, y = self.at((ankle[0], 0.012, ankle[2] + 0.02))
            self.canvas.darken(self.canvas.ball((x, y), 0.07 * scale, 0.022 * scale), 0.75)

    def leg(self, side: int) -> None:
        """A leg with what it wears, and its shoe."""
        person, bones, girth = self.person, self.bones, self.girth
        hip, knee, ankle, toe = (
            pair[side] for pair in (bones.hips, bones.knees, bones.ankles, bones.toes)
        )
        far = self.depth(knee) < self.depth(bones.knees[1 - side]) - 0.02
        dim = 0.84 if far else 1.0  # the leg behind gets less light
        loose = 1.0 if person.lower == "trousers" else 0.88
        shin = person.bottom if person.lower == "trousers" else person.skin
        thigh = person.skin if person.lower == "skirt" else person.bottom
        lower = self.limb(knee, ankle, 0.036 * girth * loose, 0.026 * girth * loose)
        self.paint(lower, shin, dim)
        upper = self.limb(hip, knee, 0.058 * girth, 0.039 * girth)
        if person.lower == "shorts":  # down to just above the knee, and wider
            self.paint(self.limb(hip, knee, 0.05 * girth, 0.036 * girth), person.skin, dim)
            hem = _between(hip, knee, 0.8)
            upper = self.limb(hip, hem, 0.06 * girth, 0.052 * girth)
        self.paint(upper, thigh, dim)
        if person.lower != "skirt":
            lower_pattern(self, upper, side, dim)
            if person.lower == "trousers":
                lower_pattern(self, lower, side, dim)
        self.shoe(knee, ankle, toe, dim)

    def shoe(self, knee: Place, ankle: Place, toe: Place, dim: float) -> None:
        """A shoe with its sole, or a boot."""
        person, girth = self.person, 0.6 + 0.4 * self.girth
        colour = person.shoes
        if person.boots:
            top = _between(knee, ankle, 0.32)
            self.paint(self.limb(top, ankle, 0.041 * girth, 0.032 * girth), colour, dim)
        heel = (ankle[0], ankle[1] - 0.012, ankle[2] - 0.012)
        sole = (0.0, -0.011, 0.0)
        bright = sum(colour) > 330
        rim = tuple(channel * (0.45 if bright else 1.7) + 8 for channel in colour)
        self.paint(
            self.limb(_moved(heel, sole), _moved(toe, sole), 0.0225 * girth, 0.019 * girth),
            (rim[0], rim[1], rim[2]),
            dim,
        )
        self.paint(self.limb(heel, toe, 0.0255 * girth, 0.0205 * girth), colour, dim)
        self.paint(self.limb(ankle, heel, 0.023 * girth, 0.0255 * girth), colour, dim)

    def trunk(self) -> None:
        """Hips, what is worn below and above, and the neck."""
        person, bones, girth = self.person, self.bones, self.girth
        self.paint(self.limb(bones.neck, bones.head, 0.03, 0.028), person.skin, 0.8)
        pelvis, span = bones.pelvis, bones.span
        hips = (0.089 if person.female else 0.081) * girth
        if person.lower == "skirt":
            self.skirt(hips)
        else:
            block = self.tube(
                [pelvis[1] + 0.11 * span, pelvis[1], pelvis[1] - 0.06],
                [hips * 0.95, hips, hips * 0.8],
                0.78,
            )
            self.paint(block, person.bottom)
        chest = (0.098 if person.female else 0.108) * (0.5 + 0.5 * girth)
        waist = (0.069 if person.female else 0.086) * girth * (0.97 if person.age != "old" else 1.1)
        heights = [1.04, 0.985, 0.93, 0.86, 0.7, 0.4, 0.16, 0.02]
        widths = [0.028, 0.05, 0.8 * chest, chest, 0.95 * chest, waist, hips, hips * 1.02]
        if person.outer == "coat":
            heights += [-0.35, -0.72]
            widths += [hips * 1.1 + 0.05 * self.pose.stride, hips * 1.15 + 0.1 * self.pose.stride]
        surface = self.tube([pelvis[1] + share * span for share in heights], widths, 0.68)
        self.paint(surface, person.top)
        upper_pattern(self, surface, chest)

    def tube(self, heights: list[float], widths: list[float], flatness: float) -> Surface:
        """Something around the trunk: half widths from the top down, less deep than wide."""
        pelvis, neck = self.bones.pelvis, self.bones.neck
        slope = (neck[2] - pelvis[2]) / (neck[1] - pelvis[1])
        places = [self.at((0.0, y, max(y - pelvis[1], 0.0) * slope)) for y in heights]
        return self.canvas.profile(
            [y for _, y in places],
            [x for x, _ in places],
            [self.half(width, max(width * flatness, 0.02)) for width in widths],
        )

    def skirt(self, hips: float) -> None:
        """From the waist to above the knees."""
        pelvis, knee = self.bones.pelvis[1], max(knee[1] for knee in self.bones.knees)
        hem = hips * 1.3 + 0.12 * self.pose.stride
        surface = self.tube(
            [pelvis + 0.06, pelvis, pelvis + 0.8 * (knee - pelvis)], [hips * 0.9, hips, hem], 0.85
        )
        self.paint(surface, self.person.bottom)
        lower_pattern(self, surface, 0, 1.0)

    def scarf(self) -> None:
        """Around the neck, with an end that hangs down in front."""
        neck, colour = self.bones.neck, self.person.scarf_colour
        if self.cosine > -0.3:
            start = (0.025, neck[1] - 0.01, neck[2] + 0.055)
            self.paint(self.limb(start, _moved(start, (0.012, -0.12, 0.02)), 0.02, 0.022), colour)
        x = 0.034
        self.paint(
            self.limb(
                (-x * self.cosine, neck[1] + 0.012, neck[2] + 0.01 + x * self.sine),
                (x * self.cosine, neck[1] + 0.012, neck[2] + 0.01 - x * self.sine),
                0.025,
                0.025,
            ),
            colour,
        )

    def arm(self, side: int) -> None:
        """An arm with its sleeve, and what its hand carries."""
        person, bones = self.person, self.bones
        shoulder, elbow, hand = (
            pair[side] for pair in (bones.shoulders, bones.elbows, bones.hands)
        )
        thick = (0.92 if person.female else 1.0) * (0.45 + 0.55 * self.girth)
        dim = 0.82 if self.depth(elbow) < -0.03 else 1.0
        sleeve = person.accent if person.pattern == "splice" else person.top
        wrist = _between(elbow, hand, 0.84)
        # A thin dark line parts the arm from a trunk of the same colour.
        self.paint(self.limb(shoulder, elbow, 0.035 * thick, 0.034 * thick), (0, 0, 0), 1.0, 0.22)
        self.paint(self.ball(hand, 0.0205, 0.025), person.skin, dim)
        fore = self.limb(elbow, wrist, 0.026 * thick, 0.0195 * thick)
        if person.sleeves == "long":
            self.paint(self.limb(elbow, wrist, 0.029 * thick, 0.024 * thick), sleeve, dim)
            cuff = shoulder, elbow
        else:
            self.paint(fore, person.skin, dim)
            self.paint(self.limb(shoulder, elbow, 0.028 * thick, 0.026 * thick), person.skin, dim)
            cuff = shoulder, _between(shoulder, elbow, 0.62)
        self.paint(self.limb(*cuff, 0.0315 * thick, 0.031 * thick), sleeve, dim)
        if person.bag == "hand" and (side == 1) == (person.bag_side > 0):
            carried.handbag(self, hand)

    def paint(
        self, surface: Surface, colour: Colour, dim: float = 1.0, opacity: float = 1.0
    ) -> None:
        """Paint a part of the figure, with a share of the light."""
        if dim != 1.0:
            colour = (colour[0] * dim, colour[1] * dim, colour[2] * dim)
        self.canvas.paint(surface, colour, opacity)


def _between(start: Place, end: Place, share: float) -> Place:
    return (
        start[0] + share * (end[0] - start[0]),
        start[1] + share * (end[1] - start[1]),
        start[2] + share * (end[2] - start[2]),
    )


def _moved(place: Place, by: Place) -> Place:
    return place[0] + by[0], place[1] + by[1], place[2] + by[2]
