import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from keras_osnet._utils import jax_cache

PROGRAM = """
import hashlib, json
import jax
import keras
import numpy as np
from keras_osnet import OSNet
from keras_osnet._utils.jax_cache import cache_compiled_programs
from keras_osnet.optimizers import AMSGrad

events = []
jax.monitoring.register_event_listener(lambda name, **_: events.append(name.split("/")[-1]))
keras.random.normal((3, 5))  # compiled before the cache is there, as a model is
cache_compiled_programs()
keras.utils.set_random_seed(0)
model = OSNet(0.25, classes=3, input_shape=(64, 32, 3), depths=(1, 1, 1))
model.compile(AMSGrad(), "sparse_categorical_crossentropy")
images = np.random.default_rng(0).uniform(0, 255, (4, 64, 32, 3))
for _ in range(3):
    model.train_on_batch(images, np.arange(4) % 3)
weights = b"".join(np.asarray(value).tobytes() for value in model.get_weights())
print(json.dumps({
    "hits": events.count("cache_hits"),
    "folder": jax.config.jax_compilation_cache_dir,
    "weights": hashlib.sha256(weights).hexdigest(),
}))
"""


SMALL_PROGRAM = """
import json, warnings
import jax
from jax import numpy as jnp
from keras_osnet._utils.jax_cache import cache_compiled_programs

events = []
jax.monitoring.register_event_listener(lambda name, **_: events.append(name.split("/")[-1]))
cache_compiled_programs()
warnings.simplefilter("error")
for side in (3, 4):
    jax.jit(lambda x: jnp.sin(x) @ x.T)(jnp.ones((side, side)))
print(json.dumps({
    "hits": events.count("cache_hits"),
    "folder": jax.config.jax_compilation_cache_dir,
}))
"""


def train_in_process(program=PROGRAM, **environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    process = subprocess.run(
        [sys.executable, "-c", program],
        env={**inherited, "KERAS_BACKEND": "jax", **environment},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


@pytest.mark.extra_large
def test_a_later_process_loads_programs_and_gives_the_same_numbers(tmp_path):
    first = train_in_process(XDG_CACHE_HOME=str(tmp_path))
    assert first["folder"].startswith(str(tmp_path / "keras-osnet" / "jax"))
    assert first["hits"] == 0
    second = train_in_process(XDG_CACHE_HOME=str(tmp_path))
    assert second["hits"] > 10
    without = train_in_process(XDG_CACHE_HOME=str(tmp_path), JAX_ENABLE_COMPILATION_CACHE="false")
    assert without["folder"] is None
    assert first["weights"] == second["weights"] == without["weights"]
    own = train_in_process(JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"))
    assert own["folder"] == str(tmp_path / "own")


@pytest.mark.extra_large
def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    assert train_in_process(XDG_CACHE_HOME=str(tmp_path / "file"))["folder"] is None


@pytest.mark.extra_large
def test_programs_of_killed_processes_are_compiled_again(tmp_path):
    folder = Path(train_in_process(SMALL_PROGRAM, XDG_CACHE_HOME=str(tmp_path))["folder"])
    programs = sorted(folder.glob("*-cache"))
    first, second, third = programs[:3]
    os.truncate(first, first.stat().st_size // 2)  # killed while it wrote the program,
    time_of(first).unlink()
    time_of(second).unlink()  # after it,
    third.unlink()  # and before it
    for hits in (len(programs) - 3, len(programs)):
        again = train_in_process(SMALL_PROGRAM, XDG_CACHE_HOME=str(tmp_path))
        assert again["hits"] == hits
        assert sorted(folder.glob("*-cache")) == programs
        assert all(time_of(program).exists() for program in programs)


def time_of(program):
    return program.with_name(program.name.removesuffix("-cache") + "-atime")


def test_a_user_without_a_home_folder(monkeypatch):
    jax = pytest.importorskip("jax")

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    monkeypatch.setattr("pathlib.Path.home", no_home)
    for name in ("XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    before = jax.config.jax_compilation_cache_dir
    jax_cache.cache_compiled_programs()
    assert jax.config.jax_compilation_cache_dir == before
