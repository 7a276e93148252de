"""Checks of arguments that all packages share."""

import numpy as np
import pytest

from keras_osnet._utils.checks import (
    boolean,
    check_whole,
    number,
    one_of,
    positive_integer,
    whole_number,
)


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


def test_one_of_returns_the_choice():
    choices = ("auto", 1, None)
    assert [one_of("batch", each, choices) for each in choices] == list(choices)
    assert type(one_of("batch", np.int64(1), choices)) is int
    assert type(one_of("batch", np.str_("auto"), choices)) is str
    for value in (True, np.array([1]), np.array([1, 1]), ["auto"], "1", 2, float("nan"), {}):
        with pytest.raises(ValueError, match=r"^`batch` must be one of 'auto', 1, None. Received"):
            one_of("batch", value, choices)


def test_booleans():
    assert boolean("flip", np.bool_(False)) is False
    assert boolean("flip", True) is True
    for value in (0, 1, "False", None, np.array(True), np.array([True]), [True]):
        with pytest.raises(ValueError, match=r"^`flip` must be one of True, False. Received"):
            boolean("flip", value)


@pytest.mark.filterwarnings("error")
def test_numbers():
    for value in (1, 0.5, np.float32(0.5), np.uint8(1), np.float16(0)):
        assert number("share", value, 0, 1) == value
    for value in (float("nan"), np.float32("nan"), -1, 1.5, 10**400, True, "1", None, [1], 1j):
        with pytest.raises(ValueError, match=r"^`share` must be a number from 0 to 1. Received"):
            number("share", value, 0, 1)
    for value in (float("inf"), 10**400, np.float32("inf")):
        with pytest.raises(ValueError, match=r"^`share` must be a number of at least 0. Received"):
            number("share", value, 0)
