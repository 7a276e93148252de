"""`train` on several devices: the folder, the figures, and going on after an interruption.

What each replica sees and computes is in test_distribution.py.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from tiny_networks import SIZE

from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.training.run_folder import RunFolder

pytestmark = pytest.mark.exhaustive

HERE = Path(__file__).parent

MIRRORED = """
import tensorflow as tf
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
real = tf.distribute.MirroredStrategy.__init__
tf.distribute.MirroredStrategy.__init__ = lambda self: real(self, ["CPU:0", "CPU:1"])
"""

TRAINING = """
import sys
from pathlib import Path
from keras_osnet.training import distributed
kind, folder = sys.argv[1], Path(sys.argv[2])
with distributed(kind) as devices:
    # Recipes are checked by making their optimizers, and variables only after the cluster is there.
    from keras_osnet.data import split_by_identity
    from keras_osnet.data.datasets.market1501 import read_folder
    from test_trainer import Stop, run
    from tiny_networks import tiny_backbone
    dataset = split_by_identity(read_folder(folder / "people"), 0.4)
    try:
        run(folder / "run", dataset, model=tiny_backbone(), callbacks=[Stop(2)])
    except KeyboardInterrupt:
        pass
    again = run(folder / "run", dataset, model=tiny_backbone())
    whole = run(folder / "whole", dataset, model=tiny_backbone())
assert again.metrics == whole.metrics, (again.metrics, whole.metrics)
assert again.test == whole.test
assert len(whole.metrics) == 4
print("done", devices.replicas)
"""


@pytest.fixture
def folder(tmp_path):
    write_synthetic_people(tmp_path / "people", 12, views=4, image_size=SIZE)
    return tmp_path


def start(code, *arguments, **environment):
    paths = os.pathsep.join(map(str, (HERE, HERE.parent)))
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, replicas):
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error[-3000:]
    assert f"done {replicas}" in out


def check_folder(folder):
    state = RunFolder(folder).read_state()
    assert len(state.metrics) == 4
    assert 0 < state.test["mAP"] <= 1
    assert keras.saving.load_model(folder / "best.keras", compile=False).output_shape[1] > 1


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a strategy of TensorFlow's")
def test_mirrored(folder):
    finish(start(MIRRORED + TRAINING, "mirrored", folder), replicas=2)
    check_folder(folder / "whole")


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a strategy of TensorFlow's")
def test_multi_worker(folder):
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("localhost", 0))
        workers = [f"localhost:{each.getsockname()[1]}" for each in (one, other)]
    processes = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": workers}, "task": task})
        processes.append(start(TRAINING, "multi-worker", folder, TF_CONFIG=config))
    for process in processes:
        finish(process, replicas=2)
    check_folder(folder / "whole")


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="a distribution of JAX's")
def test_data_parallel(folder):
    flags = "--xla_force_host_platform_device_count=2"
    finish(start(TRAINING, "data-parallel", folder, XLA_FLAGS=flags), replicas=2)
    check_folder(folder / "whole")
