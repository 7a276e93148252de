import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_osnet.runtime import Embedder
from keras_osnet.synthetic import write_synthetic_people

pytestmark = pytest.mark.large

SCRIPT = Path(__file__).parents[2] / "examples" / "tflite_on_device.py"

ALONE = f"""
import json, runpy, sys

runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
names = "keras_osnet", "keras", "tensorflow", "torch", "jax"
print(json.dumps([name for name in names if name in sys.modules]))
"""


def test_the_same_vectors_as_the_embedder_and_without_the_package(exported, tmp_path):
    people = write_synthetic_people(tmp_path / "crops", range(10_000, 10_003), views=1)
    files = [person.path for person in people]
    command = [sys.executable, "-c", ALONE, exported, *files, "--vectors", tmp_path / "v.npy"]
    result = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    *table, modules = result.stdout.splitlines()
    assert json.loads(modules) == []

    vectors = np.load(tmp_path / "v.npy")
    np.testing.assert_allclose(vectors, Embedder(exported).embed(files), atol=1e-6)

    rows = [line.split() for line in table[-len(files) :]]
    nearest = {name: other for name, other, _ in rows}
    assert len(nearest) == 6
    person = {each.path.name: each.identity for each in people}
    assert all(person[name] == person[other] for name, other in nearest.items())
