import numpy as np
import pytest

from keras_osnet.metrics import camera_means, remove_camera_means


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("names", [np.arange(3), np.array(["door", "hall", "yard"])])
def test_against_plain_loops(names):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 6)) + 1
    cameras = names[rng.integers(0, 3, 30)]
    means = camera_means(vectors, cameras)
    assert sorted(means) == sorted(names.tolist())
    units = unit(vectors)
    expected = []
    for vector, camera in zip(units, cameras, strict=True):
        expected.append(vector - units[cameras == camera].mean(axis=0))
    removed = remove_camera_means(vectors, cameras)
    np.testing.assert_allclose(removed, unit(np.array(expected)), atol=1e-6)
    assert removed.dtype == np.float32
    np.testing.assert_array_equal(remove_camera_means(vectors, cameras, means), removed)
    some = remove_camera_means(vectors[:4], cameras[:4], means)
    np.testing.assert_allclose(some, removed[:4], atol=1e-7)


def test_a_shift_of_a_camera_is_removed():
    """Two people under two cameras, of which one adds the same to everybody."""
    people = np.array([[1.0, 0.2, 0.0], [0.2, 1.0, 0.0]])
    both = np.concatenate([people, people + np.array([0.0, 0.0, 5.0])])
    removed = remove_camera_means(both, ["a", "a", "b", "b"])
    cosines = removed @ removed.T
    assert min(cosines[0, 2], cosines[1, 3]) > 0.99
    assert max(cosines[0, 1], cosines[0, 3]) < -0.99


def test_one_image_of_a_camera():
    np.testing.assert_array_equal(remove_camera_means([[1.0, 2.0]], [7]), [[0, 0]])


def test_arguments():
    good = np.eye(3)
    with pytest.raises(ValueError, match=r"`cameras` must have shape \(3,\).*shape \(2,\)"):
        camera_means(good, [1, 2])
    with pytest.raises(TypeError, match="`cameras` must hold integers or strings"):
        remove_camera_means(good, [1.5, 2.5, 3.5])
    with pytest.raises(ValueError, match="`features` must be finite"):
        remove_camera_means([[np.inf, 1]], [1])
    with pytest.raises(ValueError, match=r"mean of every camera. Received: none of 3, means"):
        remove_camera_means(good, [1, 1, 3], {1: np.zeros(3)})


@pytest.mark.parametrize(
    ("means", "problem"),
    [
        ([np.zeros(3)], r"`means` must be a dictionary. Received: list"),
        ({1: np.zeros(2)}, r"`means\[1\]` must be an array of 3 numbers. Received: shape \(2,\)"),
        ({1: np.full(3, np.nan)}, r"`means\[1\]` must be finite"),
        ({1: "abc"}, r"`means\[1\]` must be a non-empty array"),
        ({1: ["a", "b", "c"]}, r"`means\[1\]` must hold real numbers"),
        ({1: np.zeros(3) + 1j}, r"`means\[1\]` must hold real numbers"),
        ({1: np.ma.masked_array(np.zeros(3), [0, 0, 1])}, r"`means\[1\]` must not have masked"),
    ],
)
def test_means_of_other_kinds(means, problem):
    with pytest.raises(ValueError, match=problem):
        remove_camera_means(np.eye(3), [1, 1, 1], means)
