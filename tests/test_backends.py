"""Layers, models and weights on the backends that this run of the tests does not use itself."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_backend(backend, request):
    if backend == keras.backend.backend():
        pytest.skip(f"this run of the tests is on {backend} itself")
    slow = "slow" in (request.config.option.markexpr or "").replace("not slow", "")
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider"]
    command += ["-m", f"backends and {'slow' if slow else 'not slow'}", str(ROOT / "tests")]
    result = subprocess.run(
        command,
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
    assert " passed" in result.stdout
