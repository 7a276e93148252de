"""Layers, models and weights on the backends that this run of the tests does not use itself."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[1]
BACKENDS = ["tensorflow", "jax", "torch"]


def run_tests_on(backend, marks):
    if backend == keras.backend.backend():
        pytest.skip(f"this run of the tests is on {backend} itself")
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [*command, "-m", marks, str(ROOT / "tests")],
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
    assert " passed" in result.stdout


@pytest.mark.extra_large
@pytest.mark.parametrize("backend", BACKENDS)
def test_backend(backend):
    run_tests_on(backend, "backends and not large and not exhaustive")


@pytest.mark.exhaustive
@pytest.mark.parametrize("backend", BACKENDS)
def test_backend_at_length(backend):
    run_tests_on(backend, "backends and (large or exhaustive)")
