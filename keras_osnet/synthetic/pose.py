"""The pose in which a person stands or walks, and the skeleton in it.

A body's own coordinates are x to the left of a person who faces the camera as seen (the body's
right hand is at negative x), y up from the ground, z to the front; its unit is the height of an
average adult.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from keras_osnet.synthetic.appearance import Appearance, choose
from keras_osnet.synthetic.shapes import Point

Position = tuple[float, float, float]
Facing = Literal["front", "side", "back"]

_PI = 3.141592653589793
_YAW = {"front": 0.0, "back": _PI, "right": _PI / 2, "left": -_PI / 2}

_SIDES = (-1.0, 1.0)


@dataclass(frozen=True)
class Pose:
    """The properties of a person that vary between images.

    Attributes:
        yaw: Angle by which the body is turned, in radians; 0 faces the camera, pi / 2 walks to
            the right of the image.
        phase: Of the walk, 0..1.
        stride: How far the legs swing, in radians; near 0 the person stands.
        bend: How far the elbows are bent, in radians.
        lean: How far the upper body leans, in radians.
        nod: How far the head is turned from the body, in radians.
        foot: Where the person stands, (x, y) in pixels.
        scale: Pixels that an adult of average height measures.
        elevation: Sine of the angle at which the camera looks down.
    """

    yaw: float
    phase: float
    stride: float
    bend: float
    lean: float
    nod: float
    foot: Point
    scale: float
    elevation: float

    @classmethod
    def draw(cls, rng: np.random.Generator, height: int, width: int, elevation: float) -> "Pose":
        """Draw a pose that fits an image roughly as in a detector's box."""
        facing = choose(rng, front=0.32, back=0.3, left=0.19, right=0.19)
        stands = rng.random() < 0.25
        return cls(
            yaw=_YAW[facing] + rng.uniform(-0.45, 0.45),
            phase=rng.random(),
            stride=rng.uniform(0.02, 0.08) if stands else rng.uniform(0.2, 0.46),
            bend=rng.uniform(0.1, 0.7),
            lean=rng.uniform(-0.01, 0.06),
            nod=rng.uniform(-0.4, 0.4),
            foot=(width * rng.uniform(0.44, 0.56), height * rng.uniform(0.94, 1.0)),
            # In a crop wider than 1:2 the height decides; in a narrower one, the width.
            scale=min(height, width * 2.2) * rng.uniform(0.83, 0.93),
            elevation=elevation,
        )

    @property
    def facing(self) -> Facing:
        """The visible side of the person, within 45 degrees."""
        cosine, _ = turn(self.yaw)
        if abs(cosine) < 0.7071:
            return "side"
        return "front" if cosine > 0 else "back"


@dataclass(frozen=True)
class Skeleton:
    """The joints of a person in a pose, in the body's own coordinates.

    Pairs are those of the right and of the left side.

    Attributes:
        pelvis: Where the legs meet the body.
        neck: Where the head's column begins.
        head: Middle of the head.
        head_radius: Half its height.
        hips: Of the legs.
        knees: Of the legs.
        ankles: Of the legs.
        toes: Of the feet.
        shoulders: Of the arms.
        elbows: Of the arms.
        hands: Middle of the hands.
    """

    pelvis: Position
    neck: Position
    head: Position
    head_radius: float
    hips: tuple[Position, Position]
    knees: tuple[Position, Position]
    ankles: tuple[Position, Position]
    toes: tuple[Position, Position]
    shoulders: tuple[Position, Position]
    elbows: tuple[Position, Position]
    hands: tuple[Position, Position]

    @property
    def span(self) -> float:
        """The height of the neck above the pelvis."""
        return self.neck[1] - self.pelvis[1]

    @classmethod
    def of(cls, person: Appearance, pose: Pose) -> "Skeleton":
        """Return the skeleton of a person in a pose."""
        child = person.age == "child"
        # A child fills its box as adults do; only the proportions differ.
        size = person.height * (0.9 if child else 1.0)
        length = (0.43 if child else 0.49) * size
        trunk, head_radius = 0.325 * size, (0.083 if child else 0.07) * (0.9 + 0.1 * size)
        stride = pose.stride * (0.7 if person.age == "old" else 1.0)
        lean = pose.lean + (0.13 if person.age == "old" else 0.0)
        swing, turning = turn(2 * _PI * pose.phase)[::-1]

        legs = [_leg(side, stride, swing, turning, length, person) for side in _SIDES]
        # The lower of the two feet is on the ground.
        lift = 0.035 - min(ankle[1] for _, _, ankle, _ in legs)
        right, left = ([(x, y + lift, z) for x, y, z in leg] for leg in legs)
        hips, knees, ankles, toes = zip(right, left, strict=True)
        pelvis = (0.0, length + lift, 0.0)
        cosine, sine = turn(lean)
        neck = (0.0, pelvis[1] + trunk * cosine, trunk * sine)
        rise = head_radius * 1.3
        head = (0.0, neck[1] + rise, neck[2] + rise * 0.25 + 0.01 + 0.35 * rise * (sine > 0.1))
        arms = [_arm(side, -stride, swing, neck, trunk, person, pose.bend) for side in _SIDES]
        shoulders, elbows, hands = zip(*arms, strict=True)
        return cls(
            pelvis, neck, head, head_radius, hips, knees, ankles, toes, shoulders, elbows, hands
        )


def turn(angle: float) -> tuple[float, float]:
    """Return cosine and sine of an angle up to a full turn, bit-identical on every platform."""
    part = angle / 32
    square = part * part
    sine = part * (1 - square / 6 * (1 - square / 20 * (1 - square / 42)))
    cosine = 1 - square / 2 * (1 - square / 12 * (1 - square / 30 * (1 - square / 56)))
    for _ in range(5):
        cosine, sine = cosine * cosine - sine * sine, 2 * sine * cosine
    return cosine, sine


def _leg(
    side: float, stride: float, swing: float, turning: float, length: float, person: Appearance
) -> tuple[Position, Position, Position, Position]:
    """Return hip, knee, ankle and toe of the leg on one side; the hips are at y = length."""
    half = length * 0.49
    x = side * (0.044 if person.female else 0.041) * person.girth
    angle = stride * swing * side + 0.05
    # The knee is bent most while the leg swings forward.
    bend = 0.06 + stride * 1.5 * max(turning * side, 0.0)
    knee = _hung((x, length, 0.0), half, angle)
    ankle = _hung((x * 0.92, knee[1], knee[2]), half, angle - bend)
    cosine, sine = turn(0.35 * (angle - bend) - 0.12)
    foot = 0.088 * person.height
    toe = (ankle[0] + side * 0.012, ankle[1] - 0.012 + foot * sine * 0.8, ankle[2] + foot * cosine)
    return (x, length, 0.0), knee, ankle, toe


def _arm(
    side: float,
    stride: float,
    swing: float,
    neck: Position,
    trunk: float,
    person: Appearance,
    bend: float,
) -> tuple[Position, Position, Position]:
    """Return shoulder, elbow and hand of the arm on one side."""
    x = side * (0.089 if person.female else 0.1) * (0.55 + 0.45 * person.girth)
    shoulder = (x, neck[1] - trunk * 0.095, neck[2] - 0.003)
    upper, fore = trunk * 0.5, trunk * 0.53
    if person.holds:  # the parcel in front
        elbow = _hung((x * 1.12, shoulder[1], shoulder[2]), upper, 0.2)
        return shoulder, elbow, (x * 0.72, elbow[1] + 0.03, elbow[2] + fore * 0.9)
    angle = stride * swing * side * 0.9 + 0.02
    elbow = _hung((x * 1.13, shoulder[1], shoulder[2]), upper, angle)
    hand = _hung((x * 1.16, elbow[1], elbow[2]), fore, angle + bend)
    return shoulder, elbow, hand


def _hung(start: Position, length: float, angle: float) -> Position:
    """Return the end of a bone that hangs from its start, swung forward by an angle."""
    cosine, sine = turn(angle)
    return start[0], start[1] - length * cosine, start[2] + length * sine
