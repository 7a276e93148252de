from dataclasses import replace

import numpy as np
import pytest

from keras_osnet.synthetic.camera import Camera

NEUTRAL = replace(
    Camera.draw((0, 1, 0)), gain=(1.0, 1.0, 1.0), saturation=1.0, contrast=1.0, brightness=0.0,
    curve=0.0, blur=0.0, noise=0.0,
)  # fmt: skip


def developed(camera, image):
    return camera.develop(image.copy(), np.random.default_rng(0)).astype(float)


@pytest.fixture
def image():
    return np.random.default_rng(1).uniform(30, 200, (3, 32, 16)).astype(np.float32)


def test_a_neutral_camera_changes_the_brightness_of_the_moment_only(image):
    ratio = developed(NEUTRAL, image) / image.transpose(1, 2, 0)
    assert ratio.std() < 0.01
    assert 0.85 < ratio.mean() < 1.15


def _red(image):
    return image[..., 0].mean()


def _vividness(image):
    return np.ptp(image, axis=-1).mean()


def _roughness(image):
    return np.abs(np.diff(image, axis=0)).mean()


@pytest.mark.parametrize(
    ("changes", "measure", "least", "most"),
    [
        ({"gain": (1.2, 1.0, 0.8)}, _red, 1.1, 1.25),
        ({"brightness": -20.0}, np.mean, 0.75, 0.9),
        ({"contrast": 0.6}, np.std, 0.55, 0.65),
        ({"saturation": 0.3}, _vividness, 0.25, 0.35),
        ({"curve": 0.4}, np.mean, 1.1, 1.4),
        ({"blur": 0.7}, _roughness, 0.2, 0.7),
        ({"noise": 15.0}, np.mean, 0.98, 1.02),
        ({"noise": 60.0}, _roughness, 1.05, 1.5),
    ],
)
def test_what_each_setting_does(image, changes, measure, least, most):
    new, old = developed(replace(NEUTRAL, **changes), image), developed(NEUTRAL, image)
    assert least < measure(new) / measure(old) < most


def test_people_stand_in_different_places_of_one_scene():
    scenes = [NEUTRAL.backdrop(64, 32, aside, 0.5) for aside in (0.0, 0.25, 1.0)]
    assert all(scene.shape == (3, 64, 32) and scene.dtype == np.float32 for scene in scenes)
    # A quarter of the two widths beside the first one: half of the image is in both.
    np.testing.assert_array_equal(scenes[0][:, :, 16:], scenes[1][:, :, :16])
    scenes[2][:] = 0  # a copy, to be drawn on
    assert NEUTRAL.backdrop(64, 32, 1.0, 0.5).any()


def test_cameras_differ():
    cameras = [Camera.draw((0, 1, number)) for number in range(12)]
    assert len({camera.gain for camera in cameras}) == 12
    looks = [camera.backdrop(32, 16, 0.5, 0.5).mean(axis=(1, 2)) for camera in cameras]
    assert np.std(looks, axis=0).min() > 10
