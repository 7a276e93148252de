"""Trainings that are killed (signal 9) at any moment go on, or begin again, to the same end."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from tiny_networks import SIZE

from keras_osnet.synthetic import write_synthetic_people

pytestmark = pytest.mark.extra_large

RECIPE = """
task = "reid"
epochs = 3
fixbase_epochs = 1
batch_size = 8
validation_fraction = 0.3
[optimizer]
name = "amsgrad"
learning_rate = 1e-3
[schedule]
name = "cosine"
[[augmentation]]
name = "RandomFlip"
[model]
width = 0.25
depths = [1, 1, 1]
image_size = [64, 32]
"""

KILLED = """
import os, signal, sys
from pathlib import Path
replace, moment = Path.replace, int(sys.argv.pop(1))
def replace_and_die(self, target):
    global moment
    moment -= 1
    if moment == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    result = replace(self, target)
    moment -= 1
    if moment == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
Path.replace = replace_and_die
from keras_osnet.cli import main
main()
"""
"""The command line, killed before or after a rename: the odd and even moments, from 1."""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    write_synthetic_people(folder / "people", 12, views=4, image_size=SIZE)
    (folder / "tiny.toml").write_text(RECIPE)
    return ("train", folder / "tiny.toml", "--data", folder / "people", "--json")


def start(moment, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, str(moment), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(arguments, folder):
    """Go on by `resume` if there is a record, else by the same call; return what it arrives at."""
    if (folder / "training.json").exists():
        arguments = ("resume", folder, "--json")
    else:
        arguments = (*arguments, "-o", folder)
    process = start(0, *arguments)
    out, err = process.communicate()
    assert process.returncode == 0, err
    left = [path for path in folder.rglob(".*") if path.name != ".lock"]
    assert left == []
    assert len(list(folder.rglob("state-*"))) == 1
    weights = [
        keras.saving.load_model(folder / "seed-0" / name, compile=False).get_weights()
        for name in ("best.keras", "last.keras")
    ]
    report = json.loads(out.replace(str(folder), "RUN"))
    return report, (folder / "seed-0" / "metrics.csv").read_text(), weights


def assert_same(one, other):
    assert one[:2] == other[:2]
    for some, others in zip(one[2], other[2], strict=True):
        for a, b in zip(some, others, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def whole(arguments, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    began = time.monotonic()
    result = finish(arguments, folder)
    return result, time.monotonic() - began


def test_before_and_after_every_rename(arguments, whole, tmp_path):
    killed = 0
    while True:
        folder = tmp_path / str(killed + 1)
        process = start(killed + 1, *arguments, "-o", folder)
        process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        killed += 1
        assert_same(finish(arguments, folder), whole[0])
    assert killed >= 20


def test_at_any_time(arguments, whole, tmp_path):
    """Twenty kills, four of each training, each from where the one before has left it."""
    result, seconds = whole
    rng = np.random.default_rng(0)
    for number in range(5):
        folder = tmp_path / str(number)
        for _ in range(4):
            begun = (folder / "training.json").exists()
            go_on = ("resume", folder) if begun else (*arguments, "-o", folder)
            process = start(0, *go_on)
            time.sleep(rng.uniform(0, seconds))
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            assert process.returncode in (0, -signal.SIGKILL)
        assert_same(finish(arguments, folder), result)
