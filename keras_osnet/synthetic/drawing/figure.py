"""A person in a pose on a canvas: from the body's coordinates to the picture's."""

from keras_osnet.synthetic.drawing.appearance import Appearance
from keras_osnet.synthetic.drawing.pose import Place, Pose, Skeleton, turn
from keras_osnet.synthetic.drawing.shapes import Canvas, Colour, FloatArray, Point, Surface


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

    def paint(
        self, surface: Surface, colour: Colour, dim: float = 1.0, opacity: float = 1.0
    ) -> None:
        """Paint a part of the figure, with a share of the light."""
        if dim != 1.0:
            colour = (colour[0] * dim, colour[1] * dim, colour[2] * dim)
        self.canvas.paint(surface, colour, opacity)
