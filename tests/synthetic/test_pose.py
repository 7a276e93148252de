from dataclasses import replace

import numpy as np
import pytest

from keras_osnet.synthetic.appearance import Appearance
from keras_osnet.synthetic.pose import Pose, Skeleton, turn

POSE = Pose(
    yaw=0.0, phase=0.3, stride=0.4, bend=0.4, lean=0.0, nod=0.0, foot=(32, 120), scale=110,
    elevation=0.1,
)  # fmt: skip


def somebody(number=0):
    return Appearance.draw(np.random.default_rng(number))


def test_turning_is_cosine_and_sine():
    for angle in np.linspace(-6.3, 6.3, 101):
        np.testing.assert_allclose(turn(angle), (np.cos(angle), np.sin(angle)), atol=1e-7)


@pytest.mark.parametrize(
    ("degrees", "facing"),
    [(0, "front"), (44, "front"), (-44, "front"), (46, "side"), (-90, "side"), (134, "side"),
     (136, "back"), (180, "back"), (-170, "back"), (205, "back")],
)  # fmt: skip
def test_facing_within_45_degrees(degrees, facing):
    assert replace(POSE, yaw=np.radians(degrees)).facing == facing


def test_bones_keep_their_lengths_and_a_foot_is_on_the_ground():
    for number in range(20):
        person = somebody(number)
        lengths = []
        for phase in np.linspace(0, 1, 9):
            bones = Skeleton.of(person, replace(POSE, phase=phase))
            height = [ankle[1] for ankle in bones.ankles]
            assert min(height) == pytest.approx(0.035)
            lengths.append(
                [
                    np.hypot(*(a - b for a, b in zip(start[1:], end[1:], strict=True)))
                    for pairs in ((bones.hips, bones.knees), (bones.knees, bones.ankles))
                    for start, end in zip(*pairs, strict=True)
                ]
            )
        np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], (9, 4)), rtol=1e-6)


def test_arms_swing_against_legs():
    bones = Skeleton.of(replace(somebody(), holds=False), replace(POSE, phase=0.25, bend=0.0))
    right, left = (ankle[2] for ankle in bones.ankles)
    right_hand, left_hand = (hand[2] for hand in bones.hands)
    assert left > right
    assert left_hand < right_hand


def test_children_have_large_heads_and_short_legs():
    child, adult = (Skeleton.of(replace(somebody(), age=age), POSE) for age in ("child", "adult"))
    assert child.head_radius > adult.head_radius
    assert child.pelvis[1] < adult.pelvis[1]
