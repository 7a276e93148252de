"""Warnings point at the line of the user's program, however deep the code that warns."""

import functools
import threading
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

import keras_osnet
from keras_osnet._utils.warn_user import OSNetWarning, warn_user
from keras_osnet.weights import load_torchreid, to_torchreid


def raised_by(function):
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        function()
    return [(each.filename, each.category) for each in raised if each.category is OSNetWarning]


def called_from(*packages):
    """Return `warn_user` behind a function of each package."""
    function = functools.partial(warn_user, "look here")
    for package in packages:
        module = types.ModuleType(f"{package}.module")
        module.inner = function
        source = "def outer():\n    inner()\n"
        exec(compile(source, f"{package}/module.py", "exec"), vars(module))
        function = module.outer
    return function


@pytest.mark.parametrize(
    "packages", [["keras_osnet"], ["keras_osnet", "keras_osnet"], ["keras_osnet", "keras"]]
)
def test_frames_of_the_package_and_of_keras_are_skipped(packages):
    assert raised_by(called_from(*packages)) == [(__file__, OSNetWarning)]


def test_other_packages_are_the_user():
    assert raised_by(called_from("keras_osnet", "tracker")) == [("tracker/module.py", OSNetWarning)]


def test_in_a_thread_of_the_package_it_is_the_line_that_warns():
    def in_thread():
        thread = threading.Thread(target=called_from("keras_osnet"))
        thread.start()
        thread.join()

    assert raised_by(in_thread) == [("keras_osnet/module.py", OSNetWarning)]


@pytest.mark.parametrize("way", ["preprocess_input", "load_torchreid"])
def test_public_functions(way, tmp_path):
    model = keras_osnet.OSNet(0.25, classes=3, depths=(1, 1, 1), input_shape=(32, 16, 3))
    if way == "preprocess_input":
        raised = raised_by(lambda: keras_osnet.preprocess_input(np.full((2, 2, 3), 0.5)))
    else:
        other = model.replace(classes=4)
        raised = raised_by(lambda: load_torchreid(model, to_torchreid(other)))
    assert raised == [(__file__, OSNetWarning)]


def test_all_warnings_of_the_package_are_issued_like_this():
    package = Path(keras_osnet.__file__).parent
    direct = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "warnings.warn(" in path.read_text("utf-8")
    }
    # Registration has no user: Keras may be imported by anything.
    assert direct == {"_utils/registration.py", "_utils/warn_user.py"}
