import numpy as np
import pytest

from keras_osnet.synthetic.shapes import Canvas


def blank(height=40, width=60):
    return Canvas(np.zeros((3, height, width), np.float32), light=0.0)


def test_areas():
    canvas = blank()
    ball = canvas.ball((30.0, 20.0), 10.0, 7.0)
    assert ball.coverage.sum() == pytest.approx(np.pi * 70, rel=0.03)
    box = canvas.profile([10.0, 30.0], [30.0, 30.0], [8.0, 8.0])
    assert box.coverage.sum() == pytest.approx(320, rel=0.03)
    limb = canvas.limb((15.0, 12.0), (45.0, 28.0), 5.0, 5.0)
    assert limb.coverage.sum() == pytest.approx(34 * 10 + np.pi * 25, rel=0.03)


def test_across_runs_from_left_to_right():
    canvas = blank()
    surfaces = [
        canvas.ball((30.0, 20.0), 10.0, 10.0),
        canvas.profile([10.0, 30.0], [30.0, 30.0], [8.0, 8.0]),
        canvas.limb((30.0, 5.0), (30.0, 35.0), 5.0, 5.0),
        canvas.limb((30.0, 35.0), (30.0, 5.0), 5.0, 5.0),
    ]
    for surface in surfaces:
        middle = surface.across[surface.across.shape[0] // 2]
        assert (np.diff(middle) >= 0).all()
        assert middle[0] == pytest.approx(-middle[-1], abs=0.3)


def test_a_turned_body_shows_another_side():
    surface = blank().profile([10.0, 30.0], [30.0, 30.0], [8.0, 8.0])
    row, middle = 10, surface.across.shape[1] // 2
    for cosine, sine, expected in ((1, 0, (0, 1)), (-1, 0, (0, -1)), (0, 1, (-1, 0))):
        side, front = surface.turned(cosine, sine)
        assert side[row, middle] == pytest.approx(expected[0], abs=0.1)
        assert front[row, middle] == pytest.approx(expected[1], abs=0.1)


def test_painting_covers_and_stays_inside():
    canvas = blank()
    canvas.paint(canvas.ball((30.0, 20.0), 10.0, 7.0), (200.0, 100.0, 50.0))
    np.testing.assert_allclose(canvas.pixels[:, 20, 30], (200, 100, 50), rtol=0.01)
    assert canvas.pixels[:, :, :19].max() == canvas.pixels[:, :12].max() == 0


@pytest.mark.parametrize("place", [(-50.0, 20.0), (30.0, 200.0), (0.0, 0.0), (60.0, 40.0)])
def test_shapes_beyond_the_edge(place):
    canvas = blank()
    for surface in (
        canvas.ball(place, 9.0, 9.0),
        canvas.limb(place, (place[0] + 5, place[1] + 5), 4.0, 2.0),
        canvas.profile([place[1], place[1] + 9], [place[0]] * 2, [4.0, 4.0]),
    ):
        canvas.paint(surface, (200.0, 200.0, 200.0))
        canvas.darken(surface, 0.5)
    assert np.isfinite(canvas.pixels).all()
