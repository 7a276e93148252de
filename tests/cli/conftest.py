import functools
import json

import keras
import pytest
from click.testing import CliRunner

import keras_osnet
from keras_osnet.cli.application import application
from keras_osnet.cli.options import ModelSource
from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.weights import to_torchreid, write_torch_checkpoint

_load_once = functools.cache(ModelSource.load)


@pytest.fixture(autouse=True)
def models_are_built_once(monkeypatch):
    """Reuse models: building and compiling them for every run would take most of the time."""
    monkeypatch.setattr(ModelSource, "load", _load_once)


@pytest.fixture(autouse=True)
def lines_do_not_wrap(monkeypatch):
    """Set the width of a file: the tests may be started in a narrow terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def run():
    """Run the command line in this process; `code` is the exit status that is expected."""

    def run(*arguments, code=0, stdin=None):
        result = CliRunner().invoke(application, [str(each) for each in arguments], input=stdin)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
def run_json(run):
    """Run a command that prints JSON, and nothing else, on stdout."""
    return lambda *arguments: json.loads(run(*arguments, "--json").stdout)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Write a torch checkpoint of a random OSNet x0.25 with five classes."""
    path = tmp_path_factory.mktemp("weights") / "osnet_x0_25.pth"
    # The gate of this width has one hidden unit, which other random values can leave dead.
    keras.utils.set_random_seed(5)
    write_torch_checkpoint(path, to_torchreid(keras_osnet.OSNet(0.25, classes=5)))
    return path


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """Write a folder of 12 small images: three people, two cameras, two views."""
    folder = tmp_path_factory.mktemp("people")
    write_synthetic_people(folder, 3, cameras=2, views=2, image_size=(64, 32))
    return folder


@pytest.fixture
def damaged(people, tmp_path):
    """Write the same with two files that are not images, one of each camera."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    for path in people.glob("*.png"):
        (folder / path.name).write_bytes(path.read_bytes())
    whole = (folder / "0001_c1s1_000001_00.png").read_bytes()
    (folder / "0009_c1s1_000001_00.png").write_bytes(whole[: len(whole) // 2])
    (folder / "0009_c2s1_000001_00.png").write_bytes(b"[red]no image")
    return folder
