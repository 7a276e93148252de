"""Wrong arguments are refused before anything is built, with an error that names them."""

import re
from fractions import Fraction

import numpy as np
import pytest

import keras_osnet
from keras_osnet.architecture.configuration import Configuration, float_policy

NAN, INFINITY = float("nan"), float("inf")
NEITHER = [True, "1", "x", b"x", [], {}, object(), NAN, INFINITY, -1, 1.5, 10**30, np.array([1, 2])]
"""Values that are neither a choice nor a number in any argument's range."""

WRONG = {
    "width": [*NEITHER[:8], -INFINITY, 10**9, 10**30, 0.2, 0.3, [0.25], np.array([0.25]), None],
    "variant": [*NEITHER, None, "BASE", ["base"], np.array(["base", "ibn"])],
    "head": [*NEITHER, "logits"],
    "include_top": [0, 1, *NEITHER[1:], "False", None],
    "classes": [0, 2.0, *NEITHER, np.bool_(True)],
    "pooling": [*NEITHER, "mean"],
    "classifier_activation": [*NEITHER, {"class_name": "relu"}, "softmaxx"],
    "feature_dim": [0, 2.0, *NEITHER, np.bool_(True)],
    "normalize": [0, *NEITHER[1:], "True", None],
    "include_preprocessing": [0, 1, *NEITHER[1:], "False", None],
    "outputs": [*NEITHER, "conv5", [1], ["conv5", None], (), {"conv5"}, np.array(["conv5"])],
    "fusion": [*NEITHER, None],
    "convolution": [*NEITHER, None],
    "stem": [*NEITHER, None],
}
SHAPES = [
    *NEITHER,
    None,
    (64, 32),
    (1, 64, 32, 3),
    (64, 32, None),
    (64, 32, 0),
    (64, 32, 10**9),
    (64.0, 32.0, 3),
    ("64", "32", "3"),
    (True, 32, 3),
    (-64, 32, 3),
    (8, 8, 3),
    (NAN, 32, 3),
    (10**9, 32, 3),
    "256x128",
    np.zeros((64, 32, 3)),
]


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values(name):
    for value in WRONG[name]:
        with pytest.raises(ValueError, match=rf"^`{name}`.*Received: ") as error:
            Configuration(**{name: value})
        assert repr(value)[:20] in str(error.value)


def test_wrong_shapes():
    for shape in SHAPES:
        with pytest.raises(ValueError, match=r"^`input_shape` must.*Received: "):
            Configuration(input_shape=shape)


@pytest.mark.parametrize("name", ["mean", "std"])
def test_wrong_statistics(name):
    other = {"mean": "std", "std": "mean"}[name]
    high = [(2.0, 0.4, 0.4), (123.7, 116.3, 103.5), (-0.1, 0.4, 0.4), (0.4, NAN, 0.4), "abc"]
    for value in [*NEITHER, None, 0.5, (0.4, 0.4), (True, 0.4, 0.4), ["0.4"] * 3, *high]:
        with pytest.raises(ValueError, match=rf"^`{name}` must.*Received: {name}="):
            Configuration(include_preprocessing=True, **{name: value, other: (0.4, 0.4, 0.4)})
    with pytest.raises(ValueError, match="`std` must be three numbers above 0"):
        Configuration(include_preprocessing=True, mean=(0.4, 0.4, 0.4), std=(0.4, 0.4, 0))


def test_numbers_of_numpy_and_others_are_numbers():
    configuration = Configuration(
        width=np.float32(0.25),
        variant=np.str_("ibn"),
        include_top=np.bool_(True),
        classes=np.int64(7),
        include_preprocessing=np.bool_(True),
        mean=np.array([0.5, 0.4, 0.3], "float32"),
        std=[1, 1, 1],
        input_shape=[np.int64(64), None, np.uint8(3)],
    )
    assert configuration.to_dict() == {
        **Configuration(width=Fraction(1, 4), variant="ibn", classes=7).to_dict(),
        "include_preprocessing": True,
        "mean": [0.5, float(np.float32(0.4)), float(np.float32(0.3))],
        "std": [1.0, 1.0, 1.0],
        "input_shape": [64, None, 3],
    }
    types = {type(value) for value in configuration.to_dict().values()}
    assert types <= {float, str, bool, int, list, type(None)}


@pytest.mark.parametrize("dtype", ["int8", "int32", int, "float", "x", 1, {}, ["float32"], "bool"])
def test_wrong_dtypes(dtype):
    with pytest.raises(ValueError, match=rf"^`dtype` must.*Received: {re.escape(repr(dtype))}"):
        float_policy(dtype)


def test_none_is_the_global_dtype():
    assert float_policy(None).name == "float32"
    assert float_policy("mixed_bfloat16").compute_dtype == "bfloat16"


@pytest.mark.parametrize("name", ["", "a/b", 1, ["a"], True])
def test_wrong_names(name):
    with pytest.raises(ValueError, match=rf"^`name` must.*Received: {re.escape(repr(name))}"):
        keras_osnet.OSNet(0.25, depths=(1, 1, 1), input_shape=(32, 16, 3), name=name)
