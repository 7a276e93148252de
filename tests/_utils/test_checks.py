"""Checks of whole numbers, which the rooms share."""

import numpy as np
import pytest

from keras_osnet._utils.checks import check_whole, positive_integer, whole_number


def test_integers_of_python_and_numpy_are_whole_numbers():
    for value in (3, np.int8(3), np.uint64(3), np.array(3)):
        number = whole_number(value)
        assert number == 3
        assert type(number) is int
    assert whole_number(-3) == -3


@pytest.mark.parametrize("value", [3.0, "3", None, True, np.float32(3), np.True_, [3], 3j])
def test_nothing_else_is(value):
    assert whole_number(value) is None
    with pytest.raises(ValueError, match=r"`epochs` must be a whole number of at least 0. Rec"):
        check_whole(0, epochs=value)
    with pytest.raises(ValueError, match=r"`width` must be a whole number of at least 1. Rec"):
        positive_integer("width", value)


def test_limits():
    check_whole(0)
    check_whole(0, seed=0, epoch=5)
    check_whole(-2, offset=-2)
    with pytest.raises(ValueError, match=r"`epoch` must be .* at least 0. Received: -1"):
        check_whole(0, seed=0, epoch=-1)
    number = positive_integer("width", np.int64(1))
    assert number == 1
    assert type(number) is int
    with pytest.raises(ValueError, match=r"`width` must be .* at least 1. Received: 0"):
        positive_integer("width", 0)
