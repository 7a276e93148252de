import numpy as np
import pytest

from keras_osnet.synthetic import places
from keras_osnet.synthetic.places import draw_obstacle
from keras_osnet.synthetic.shapes import Canvas


@pytest.mark.parametrize("kind", places._PLACES)
@pytest.mark.parametrize("shape", [(140, 190), (9, 13), (40, 400), (300, 50)])
def test_places_of_any_shape(kind, shape):
    place = places.Scene(np.random.default_rng(3), *shape, unit=shape[0] * 0.9, ground=0.5)
    places._PLACES[kind](place)
    assert place.pixels.shape == (3, *shape)
    assert np.isfinite(place.pixels).all()
    assert place.pixels.min() > -1
    assert place.pixels.max() < 400  # bright things, which the camera cuts off
    above, below = place.pixels[:, : place.below], place.pixels[:, place.below :]
    assert above.std() > 2
    assert not np.allclose(above.mean((1, 2)), below.mean((1, 2)), atol=2)


def test_no_two_scenes_are_alike():
    scenes = [places.draw_place(np.random.default_rng(i), 40, 60, 36, 0.5) for i in range(40)]
    assert len({scene.tobytes() for scene in scenes}) == 40


def test_obstacles_are_as_frequent_as_asked_for_and_leave_most_to_be_seen():
    hidden = []
    rng = np.random.default_rng(0)
    for _ in range(200):
        canvas = Canvas(np.full((3, 64, 32), -1, np.float32), light=0.0)
        draw_obstacle(canvas, rng, share=0.3)
        hidden.append((canvas.pixels[0] != -1).mean())
    hidden = np.array(hidden)
    assert 0.2 < (hidden > 0).mean() < 0.4
    assert hidden.max() < 0.3


def test_what_is_drawn_after_an_obstacle_does_not_depend_on_it():
    following = []
    for share in (0.0, 1.0):
        rng = np.random.default_rng(4)
        draw_obstacle(Canvas(np.zeros((3, 64, 32), np.float32), 0.0), rng, share)
        following.append(rng.random())
    assert following[0] == following[1]
