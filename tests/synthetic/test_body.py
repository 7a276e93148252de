"""What is drawn is what was asked for, from all sides."""

from dataclasses import replace

import numpy as np
import pytest

from keras_osnet.synthetic.appearance import Appearance
from keras_osnet.synthetic.body import draw_figure
from keras_osnet.synthetic.pose import Pose
from keras_osnet.synthetic.shapes import Canvas

GREEN = (20.0, 200.0, 40.0)
SIZE = (128, 64)
SIDES = {"front": 0.0, "right": np.pi / 2, "back": np.pi, "left": -np.pi / 2}


@pytest.fixture(scope="module")
def plain():
    """Somebody with nothing but gray clothes."""
    gray = (128.0, 128.0, 128.0)
    return replace(
        Appearance.draw(np.random.default_rng(0)), age="adult", height=1.0, girth=1.0,
        hair_style="short", hat="none", glasses="none", outer="shirt", sleeves="short",
        pattern="plain", print="none", scarf=False, lower="trousers", bottom_pattern="plain",
        boots=False, bag="none", holds=False, top=gray, bottom=gray, shoes=gray,
    )  # fmt: skip


def drawn(person, side="front", **changes):
    pose = Pose(
        yaw=SIDES[side], phase=0.1, stride=0.3, bend=0.3, lean=0.0, nod=0.0, foot=(32, 122),
        scale=110, elevation=0.1,
    )  # fmt: skip
    canvas = Canvas(np.full((3, *SIZE), 90, np.float32), light=0.1)
    draw_figure(canvas, replace(person, **changes), pose)
    return canvas.pixels


def rows_and_share(one, other):
    """First and last row in which images differ, as shares of the height; share of pixels."""
    differ = (np.abs(one - other) > 8).any(axis=0)
    rows = np.flatnonzero(differ.any(axis=1)) / SIZE[0]
    return (rows[0], rows[-1], differ.mean()) if len(rows) else (1.0, 0.0, 0.0)


@pytest.mark.parametrize("side", SIDES)
def test_clothes_have_their_color_from_all_sides(plain, side):
    for field, row in (("top", 0.3), ("bottom", 0.6), ("shoes", 0.95)):
        red, green, blue = drawn(plain, side, **{field: GREEN})
        # Green as given but for the shade, somewhere near that row, and not everywhere.
        found = (green > 2 * red) & (green > 2 * blue) & (green > 70)
        rows = np.flatnonzero(found.any(axis=1)) / SIZE[0]
        assert rows[0] < row < rows[-1] + 0.05
        assert 0.004 < found.mean() < 0.2


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("changes", "top", "bottom"),
    [
        ({"hat": "cap", "hat_color": GREEN}, 0.0, 0.2),
        ({"hat": "beanie", "hat_color": GREEN}, 0.0, 0.2),
        ({"hat": "brim", "hat_color": GREEN}, 0.0, 0.2),
        ({"hair_style": "long"}, 0.05, 0.4),
        ({"scarf": True, "scarf_color": GREEN}, 0.12, 0.4),
        ({"sleeves": "long", "top": GREEN}, 0.15, 0.6),
        ({"pattern": "stripes", "accent": GREEN}, 0.15, 0.6),
        ({"pattern": "plaid", "accent": GREEN}, 0.15, 0.6),
        ({"pattern": "splice", "accent": GREEN}, 0.15, 0.6),
        ({"print": "square", "print_color": GREEN}, 0.2, 0.4),
        ({"outer": "coat", "top": GREEN}, 0.15, 0.75),
        ({"bottom_pattern": "dots", "bottom_accent": GREEN}, 0.4, 1.0),
        ({"bottom_pattern": "stripe", "bottom_accent": GREEN}, 0.4, 1.0),
        ({"lower": "shorts", "skin": GREEN}, 0.0, 1.0),
        ({"lower": "skirt", "bottom": GREEN}, 0.4, 1.0),
        ({"boots": True, "shoes": GREEN}, 0.7, 1.0),
        ({"bag": "backpack", "bag_color": GREEN}, 0.15, 0.6),
        ({"bag": "shoulder", "bag_color": GREEN}, 0.15, 0.7),
        ({"bag": "hand", "bag_side": 1.0, "bag_color": GREEN}, 0.4, 0.85),
    ],
)  # fmt: skip
def test_each_thing_is_where_it_belongs(plain, side, changes, top, bottom):
    first, last, share = rows_and_share(drawn(plain, side), drawn(plain, side, **changes))
    if changes.get("bag") in ("shoulder", "hand") and side in ("left", "right"):
        return  # the body hides it from one of them
    assert share > 0.0005
    assert top <= first
    assert last <= bottom


def test_what_only_the_front_shows(plain):
    for changes in (
        {"glasses": "dark"},
        {"glasses": "clear"},
        {"pattern": "open", "accent": GREEN},
    ):
        assert rows_and_share(drawn(plain), drawn(plain, **changes))[2] > 0.0005
        assert rows_and_share(drawn(plain, "back"), drawn(plain, "back", **changes))[2] == 0
    parcel = {"holds": True, "parcel": GREEN}
    green = {side: drawn(plain, side, **parcel) for side in ("front", "back")}
    visible = {side: ((g > 2 * r) & (g > 2 * b)).mean() for side, (r, g, b) in green.items()}
    assert visible["front"] > 0.01
    assert visible["back"] == 0


def test_prints_narrow_as_the_body_turns(plain):
    shares = [
        rows_and_share(drawn(plain, side), drawn(plain, side, print="square", print_color=GREEN))[2]
        for side in ("front", "back", "right")
    ]
    assert shares[0] == pytest.approx(shares[1], rel=0.4)
    assert shares[2] < 0.6 * shares[0]


def test_a_body_has_no_wrong_side(plain):
    # From the left is from the right in a mirror, but for arms, legs and the light.
    left, right = drawn(plain, "left"), drawn(plain, "right")[:, :, ::-1]
    head = slice(0, int(0.2 * SIZE[0]))
    assert np.abs(left[:, head] - right[:, head]).mean() < 4
