"""Drawing a person of the synthetic pictures, from the shadow to the shoulder bag."""

from keras_osnet.data._person import Appearance, Pose
from keras_osnet.data._shapes import Canvas, Colour, Point, Stencil

_DARK: Colour = (24, 24, 28)


def draw_figure(canvas: Canvas, person: Appearance, pose: Pose) -> None:
    """Draw a person, from the back of the scene to the front."""
    _Figure(canvas, person, pose).draw()


class _Figure:
    """One person in one pose.

    Coordinates are in body heights, x from the middle of the body, y up from the feet.
    """

    def __init__(self, canvas: Canvas, person: Appearance, pose: Pose) -> None:
        self.canvas = canvas
        self.person = person
        self.pose = pose
        self.scale = pose.scale * person.height
        self.side = pose.facing in ("left", "right")
        self.ahead = -1.0 if pose.facing == "left" else 1.0
        # Half widths of shoulders and hips; seen from the side, a body is narrower.
        self.shoulder = (0.068 if self.side else 0.108) * person.girth
        self.hip = (0.062 if self.side else 0.082) * person.girth

    def draw(self) -> None:
        bag = self.person.bag_style
        self.shadow()
        if bag == "backpack" and self.pose.facing != "back":
            self.backpack()
        self.leg(-1.0)
        if self.side:
            self.arm(-1.0)
        self.leg(1.0)
        if self.person.bottom_style == "skirt":
            self.skirt()
        if self.person.hair_style == "long" and self.pose.facing == "front":
            self.long_hair()
        self.torso()
        if bag == "backpack" and self.pose.facing == "front":
            for x in (-0.6, 0.6):
                strap = self.limb((x * self.shoulder, 0.81), (x * self.shoulder, 0.62), 0.011)
                self.paint(strap, self.person.bag)
        self.head()
        if self.person.hair_style == "long" and self.pose.facing == "back":
            self.long_hair()
        for arm in (1.0,) if self.side else (-1.0, 1.0):
            self.arm(arm)
        if bag == "backpack" and self.pose.facing == "back":
            self.backpack()
        if bag == "shoulder":
            self.shoulder_bag()

    def shadow(self) -> None:
        """The soft shadow at the feet, without which a figure floats."""
        for size in (1.0, 0.75, 0.5):
            shade = self.ellipse((0.03, 0.012), 0.17 * size, 0.03 * size)
            self.paint(shade, _DARK, opacity=0.22)

    def leg(self, which: float) -> None:
        """A leg with its shoe; `which` is -1 for the one drawn first, 1 for the other."""
        person, stride = self.person, self.pose.stride * which
        width = 0.043 * person.girth
        if self.side:
            hip, ankle = (0.0, 0.48), (stride * 0.12, 0.045)
            # The knee is ahead of the straight line, most of all in the leg that is behind.
            knee = (stride * 0.05 + self.ahead * (0.02 + 0.01 * abs(stride)), 0.265)
            toe = (ankle[0] + self.ahead * 0.055, 0.022)
        else:
            x, lift = which * self.hip * 0.52, max(stride, 0.0) * 0.035
            hip, knee = (x, 0.48), (x * 1.08, 0.265 + lift / 2)
            ankle = (x * 1.12, 0.045 + lift)
            toe = (x * 1.3, 0.022 + lift * 0.7)
        bare = person.bottom_style != "trousers"
        lower = person.skin if bare else person.bottom
        dim = 0.82 if which < 0 else 1.0  # the leg behind gets less light
        self.paint(self.limb(knee, ankle, width * 0.72, width * 0.5), lower, dim=dim)
        if person.bottom_style != "skirt":
            self.paint(self.limb(hip, knee, width * 1.1, width * 0.8), person.bottom, dim=dim)
        else:
            self.paint(self.limb(hip, knee, width, width * 0.72), person.skin, dim=dim)
        heel = (ankle[0], 0.5 * (ankle[1] + toe[1]))
        self.paint(self.limb(heel, toe, width * 0.6, width * 0.48), person.shoes, dim=dim)

    def skirt(self) -> None:
        hem = self.hip * 1.35 + 0.02 * abs(self.pose.stride)
        shape = self.polygon(
            [(-self.hip * 0.85, 0.54), (self.hip * 0.85, 0.54), (hem, 0.31), (-hem, 0.31)]
        )
        self.paint(shape, self.person.bottom)

    def torso(self) -> None:
        """Shirt or jacket with its pattern, the hips, and the neck."""
        person = self.person
        if person.bottom_style != "skirt":
            hips = [(-self.hip, 0.53), (self.hip, 0.53), (self.hip * 0.98, 0.46)]
            self.paint(self.polygon([*hips, (-self.hip * 0.98, 0.46)], 0.008), person.bottom)
        self.paint(self.limb((0, 0.87), (0, 0.81), 0.03), person.skin, dim=0.85)
        shape = self.polygon(
            [
                (-self.shoulder * 0.4, 0.825),
                (self.shoulder * 0.4, 0.825),
                (self.shoulder * 0.92, 0.785),
                (self.hip * 1.02, 0.505),
                (-self.hip * 1.02, 0.505),
                (-self.shoulder * 0.92, 0.785),
            ],
            0.012,
        )
        self.paint(shape, person.top)
        up = (self.pose.foot[1] - shape.y) / self.scale
        out = abs(shape.x - self.pose.foot[0]) / self.scale
        front = self.pose.facing == "front"
        if person.pattern == "stripes":
            self.paint(shape.where((up * 14.0) % 1.0 < 0.45), person.accent)
        elif person.pattern == "block":
            self.paint(shape.where(up > 0.69), person.accent)
        elif person.pattern == "logo" and front:
            self.paint(self.ellipse((0.0, 0.71), 0.045, 0.035), person.accent)
        elif person.pattern == "open" and front:
            self.paint(shape.where(out < 0.035), person.accent)

    def long_hair(self) -> None:
        back = -self.ahead * 0.026 if self.side else 0.0
        width = 0.044 if self.side else 0.058
        self.paint(
            self.limb((back, 0.94), (back * 1.4, 0.83), width, width * 0.85), self.person.hair
        )

    def head(self) -> None:
        """Head, face, and hair or cap."""
        person, facing = self.person, self.pose.facing
        turn = self.ahead * 0.012 if self.side else 0.0
        if person.hair_style == "long" and self.side:
            self.long_hair()
        self.paint(self.ellipse((turn, 0.925), 0.05, 0.066), person.skin)
        hair = person.accent if person.hair_style == "cap" else person.hair
        skull = self.ellipse((turn * 0.3, 0.942), 0.056, 0.06)
        up = (self.pose.foot[1] - skull.y) / self.scale
        if facing == "back":
            self.paint(skull.where(up > (0.945 if person.hair_style == "cap" else 0.88)), hair)
        elif self.side:
            forward = (skull.x - self.pose.foot[0]) / self.scale * self.ahead
            self.paint(skull.where((up > 0.955) | ((forward < -0.012) & (up > 0.9))), person.hair)
            self.paint(skull.where(up > 0.955), hair)
        else:
            self.paint(skull.where(up > 0.955), hair)
        if person.hair_style == "cap" and facing != "back":
            peak = (self.ahead * 0.045 if self.side else 0.0, 0.956)
            self.paint(self.ellipse(peak, 0.042, 0.011), hair, dim=0.75)
        if facing == "front":
            for x in (-0.02, 0.02):
                self.paint(self.ellipse((x, 0.93), 0.007, 0.006), _DARK)
            self.paint(self.ellipse((0.0, 0.893), 0.016, 0.005), (120, 50, 50), opacity=0.7)
        elif self.side:
            self.paint(self.ellipse((turn + self.ahead * 0.03, 0.93), 0.006, 0.006), _DARK)

    def arm(self, which: float) -> None:
        """An arm with sleeve and hand; arms swing against the legs."""
        person, pose = self.person, self.pose
        width = 0.031 * person.girth
        if self.side:
            swing = -pose.stride * which
            shoulder, elbow = (0.0, 0.785), (swing * 0.06 - self.ahead * 0.012, 0.645)
            wrist = (swing * 0.13 + self.ahead * 0.05 * pose.bend, 0.505 + 0.05 * pose.bend)
        else:
            x = which * (self.shoulder - 0.004)
            shoulder, elbow = (x, 0.768), (x * 1.12 + which * 0.012 * pose.bend, 0.645)
            wrist = (x * (1.15 - 0.3 * pose.bend), 0.5 + 0.06 * pose.bend)
        dim = 0.8 if self.side and which < 0 else 0.93
        lower = person.top if person.long_sleeves else person.skin
        self.paint(self.ellipse((wrist[0], wrist[1] - 0.012), 0.021, 0.025), person.skin, dim=dim)
        self.paint(self.limb(elbow, wrist, width * 0.75, width * 0.6), lower, dim=dim)
        self.paint(self.limb(shoulder, elbow, width, width * 0.85), person.top, dim=dim)
        if not person.long_sleeves:
            half = ((shoulder[0] + 3 * elbow[0]) / 4, (shoulder[1] + 3 * elbow[1]) / 4)
            self.paint(self.limb(half, elbow, width * 0.78, width * 0.75), person.skin, dim=dim)

    def backpack(self) -> None:
        if self.side:
            back = -self.ahead * (self.shoulder + 0.03)
            shape = self.limb((back, 0.755), (back, 0.62), 0.042, 0.05)
        else:
            # From the front, the edges that stick out behind the shoulders.
            half = self.shoulder * (0.72 if self.pose.facing == "back" else 0.95)
            shape = self.polygon([(-half, 0.8), (half, 0.8), (half, 0.6), (-half, 0.6)], 0.02)
        self.paint(shape, self.person.bag)
        if self.pose.facing == "back":
            self.paint(self.ellipse((0.0, 0.65), self.shoulder * 0.5, 0.03), self.person.bag, 0.8)

    def shoulder_bag(self) -> None:
        """Worn on the person's right: on the left seen from the front, on the right from behind."""
        if self.pose.facing == "left":
            return  # hidden by the body
        hand = {"front": -1.0, "back": 1.0}.get(self.pose.facing, 0.0)
        hang = (hand * (self.shoulder + 0.03), 0.52)
        start = (-hand * self.shoulder * 0.6, 0.82)
        self.paint(self.limb(start, hang, 0.009), self.person.bag, dim=0.8)
        corners = [(-0.045, 0.02), (0.045, 0.02), (0.05, -0.07), (-0.05, -0.07)]
        shape = self.polygon([(hang[0] + x, hang[1] + y) for x, y in corners], 0.008)
        self.paint(shape, self.person.bag)

    def at(self, point: Point) -> Point:
        """From body heights to pixels."""
        return self.pose.foot[0] + point[0] * self.scale, self.pose.foot[1] - point[1] * self.scale

    def limb(
        self, start: Point, end: Point, start_radius: float, end_radius: float | None = None
    ) -> Stencil:
        radii = (start_radius, start_radius if end_radius is None else end_radius)
        return self.canvas.limb(self.at(start), self.at(end), *(r * self.scale for r in radii))

    def ellipse(self, centre: Point, x_radius: float, y_radius: float) -> Stencil:
        return self.canvas.ellipse(self.at(centre), x_radius * self.scale, y_radius * self.scale)

    def polygon(self, points: list[Point], rounding: float = 0.0) -> Stencil:
        return self.canvas.polygon([self.at(p) for p in points], rounding * self.scale)

    def paint(
        self, stencil: Stencil, colour: Colour, dim: float = 1.0, opacity: float = 1.0
    ) -> None:
        dimmed = (colour[0] * dim, colour[1] * dim, colour[2] * dim)
        self.canvas.paint(stencil, dimmed, opacity)
