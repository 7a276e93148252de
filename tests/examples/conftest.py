import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run_example(monkeypatch, capfd):
    """Run a script in this process, where Keras is already imported; return its output."""

    def run(name, *arguments):
        script = EXAMPLES / name
        monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
        runpy.run_path(str(script), run_name="__main__")
        return capfd.readouterr().out

    return run


@pytest.fixture
def eager():
    """Train eagerly: for one or two steps, building a TensorFlow graph takes longer."""
    import tensorflow

    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """Export the bundled weights to a `.tflite` file."""
    script = runpy.run_path(str(EXAMPLES / "track_across_cameras.py"))
    return script["export_model"](tmp_path_factory.mktemp("exported") / "people.tflite")
