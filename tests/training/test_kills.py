"""Trainings that are killed (signal 9) at any moment go on, or begin again, to the same end."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_networks import SIZE, tiny_backbone

from keras_osnet.data import split_by_identity
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.training import load_recipe, train

pytestmark = pytest.mark.extra_large

KILLED = """
import os, signal, sys
from pathlib import Path
moment = int(sys.argv[1])
def at_a_moment(function):
    def wrapped(*arguments, **options):
        global moment
        for part in (lambda: None, lambda: function(*arguments, **options)):
            result = part()
            moment -= 1
            if moment == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return result
    return wrapped
Path.replace, Path.unlink = at_a_moment(Path.replace), at_a_moment(Path.unlink)
from test_kills import run
run(*sys.argv[2:])
print("moments", -moment)
"""
"""A training, killed before or after a file is renamed or removed: odd and even moments, from 1.

With moment 0 it is not killed, and says how many there are.
"""


def run(people, folder):
    recipe = load_recipe("few_people").with_overrides(
        {"epochs": 4, "fixbase_epochs": 1, "batch_size": 8, "validation_fraction": 0.3}
    )
    dataset = split_by_identity(read_folder(people), 0.4)
    return train(recipe, tiny_backbone(), dataset, folder, verbose=0)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_synthetic_people(folder, 12, views=4, image_size=SIZE)
    return folder


@pytest.fixture(scope="module")
def whole(people, tmp_path_factory):
    return run(people, tmp_path_factory.mktemp("whole") / "run")


def start(moment, people, folder, stdout=subprocess.DEVNULL):
    here = Path(__file__).parent
    paths = [here, here.parent, os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, str(moment), people, folder],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        stdout=stdout,
        stderr=subprocess.DEVNULL,
    )


def assert_finishes(people, folder, whole):
    again = run(people, folder)
    assert again.metrics == whole.metrics
    assert (again.test, again.best_epoch) == (whole.test, whole.best_epoch)
    for one, other in zip(again.classifiers, whole.classifiers, strict=True):
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    names = {path.name for path in folder.rglob("*")}
    assert {name for name in names if name.startswith(".")} == {".lock"}
    assert [name for name in names if name.startswith("state")] == ["state-0004.weights.h5"]


def test_before_and_after_every_change_of_a_file(people, whole, tmp_path):
    output, _ = start(0, people, tmp_path / "whole", subprocess.PIPE).communicate()
    moments = int(output.decode().rpartition("moments ")[2])
    assert moments > 40
    # All of the beginning, and ten of the rest.
    for killed in [*range(1, 11), *range(14, moments, moments // 10)]:
        folder = tmp_path / str(killed)
        process = start(killed, people, folder)
        assert process.wait() == -signal.SIGKILL
        assert_finishes(people, folder, whole)
        shutil.rmtree(folder)


def test_at_any_time(people, whole, tmp_path):
    """Twenty kills, four of each training, each from where the one before has left it."""
    rng = np.random.default_rng(0)
    for number in range(5):
        folder = tmp_path / str(number)
        for _ in range(4):
            process = start(0, people, folder)
            deadline = time.monotonic() + 300
            while process.poll() is None and not folder.exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            # From the first file on: importing TensorFlow takes longer than the training.
            time.sleep(rng.uniform(0, 8))
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            assert process.wait() in (0, -signal.SIGKILL)
        assert_finishes(people, folder, whole)
