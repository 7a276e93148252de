"""The command line as a whole: help, errors, warnings, Ctrl-C, what is missing."""

import subprocess
import sys
import warnings

import click
import pytest

import keras_osnet
from keras_osnet._utils.warn_user import warn_user
from keras_osnet.cli import application as module
from keras_osnet.cli.application import application

COMMANDS = [
    "quickstart",
    "models",
    "weights",
    "info",
    "convert",
    "export",
    "benchmark",
    "embed",
    "evaluate",
    "attributes",
    "recipes",
    "train",
    "distill",
    "resume",
    "stats",
    "visualize",
    "synthetic",
]


def in_fresh_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.fixture
def failing(monkeypatch):
    """Let the command `models` do something else."""

    def install(action):
        command = click.Command("models", callback=action)
        monkeypatch.setattr(module._Application, "get_command", lambda *_: command)

    return install


def test_help_lists_the_commands_and_their_purpose(run):
    text = run("--help").stdout
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert "..." not in text.split("Commands:")[1]  # cut off
    assert run("-h").stdout == text
    assert run("--version").stdout == f"keras-osnet {keras_osnet.__version__}\n"


@pytest.mark.large
def test_tensorflow_does_not_warn_of_every_model(monkeypatch):
    warning = (
        "from keras_osnet.cli.quiet import hold_back_noise\n"
        "hold_back_noise()\n"
        "import tensorflow\n"
        "tensorflow.get_logger().warning('retracing')"
    )
    for level, shown in (("3", False), ("0", True)):
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
        assert ("retracing" in in_fresh_python(warning).stderr) is shown


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_fits_a_terminal(run, command):
    text = run(command, "--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "\b" not in text


def test_help_and_catalogues_import_nothing_heavy():
    heavy = ["keras", "tensorflow", "jax", "torch", "numpy", "huggingface_hub", "PIL"]
    arguments = [["--help"], ["evaluate", "--help"], ["models"], ["weights"]]
    result = in_fresh_python(
        "import sys\nfrom keras_osnet.cli.application import application\n"
        f"for arguments in {arguments}: application(arguments, standalone_mode=False)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert result.stdout.endswith("[]\n"), result.stderr


def test_usage_errors(run):
    for mistyped, meant in (
        (("evalute",), "evaluate"),
        (("visualize", "rankd"), "ranked"),
        (("activations",), "visualize activations"),
    ):
        error = run(*mistyped, code=2).stderr
        assert f"No such command {mistyped[-1]!r}. Did you mean {meant}?" in error
    assert "No such command 'xyz'.\n" in run("xyz", code=2).stderr
    assert "Did you mean '--json'?" in run("models", "--jsn", code=2).stderr


def test_output_folders_are_checked_before_the_work(run, people, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for folder in (file, file / "inside", file / "further" / "inside", "/proc/nothing"):
        for command in (["synthetic"], ["quickstart"], ["train", "few_people", "--data", people]):
            error = run(*command, "-o", folder, code=2).stderr
            assert "'--output'" in error
            assert str(folder) in error
    assert file.read_text() == "mine"


def test_what_is_written_is_not_among_what_is_read(run, people):
    before = sorted(people.iterdir())
    for folder in (people, people / "out", people / ".." / people.name / "out"):
        for command in (["quickstart"], ["train", "few_people"]):
            error = run(*command, "--data", people, "-o", folder, code=2).stderr
            assert "'--output': must not be in the folder of images that are read" in error
    figure = ("visualize", "gates", people, "--weights", "random", "-o")
    assert "must not be in the folder of images" in run(*figure, people / "g.png", code=2).stderr
    assert sorted(people.iterdir()) == before


@pytest.mark.parametrize("error", [ValueError, OSError, ImportError, FileNotFoundError])
def test_errors_are_one_message_on_stderr(run, failing, error):
    def fail():
        raise error("`width` must be sound. Received: 3")

    failing(fail)
    result = run("models", code=1)
    assert result.stderr == "Error: `width` must be sound. Received: 3\n"
    assert result.stdout == ""


def test_an_error_without_words_has_a_name(run, failing):
    def fail():
        raise ConnectionResetError

    failing(fail)
    assert run("models", code=1).stderr == "Error: ConnectionResetError\n"


def test_warnings_are_one_line_on_stderr(run, failing):
    failing(lambda: warn_user("The classifier\nwas not loaded."))
    result = run("models")
    assert result.stderr == "Warning: The classifier was not loaded.\n"
    assert result.stdout == ""


def test_warnings_of_other_packages_are_not_shown(run, failing):
    failing(lambda: warnings.warn("Deprecated.", FutureWarning, stacklevel=1))
    assert run("models").stderr == ""


def test_ctrl_c(run, failing):
    def interrupt():
        raise KeyboardInterrupt

    failing(interrupt)
    assert run("models", code=130).stderr == "Interrupted.\n"


def test_mistakes_of_the_program_are_not_hidden(failing):
    failing(lambda: {}["missing"])
    with pytest.raises(KeyError):
        application(["models"], standalone_mode=False)


@pytest.mark.parametrize("lacking", [["click"], ["rich", "PIL"]])
def test_without_what_the_command_line_needs(lacking):
    result = in_fresh_python(
        f"import sys\nfor name in {lacking}: sys.modules[name] = None\n"
        "from keras_osnet.cli import main\nmain()"
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert 'pip install "keras-osnet[cli]"' in result.stderr
    assert all(
        name in result.stderr.lower() for name in (n.replace("PIL", "pillow") for n in lacking)
    )


def test_without_a_backend():
    result = in_fresh_python(
        "import sys, os\nos.environ['KERAS_BACKEND'] = 'tensorflow'\n"
        "sys.modules['tensorflow'] = None\n"
        "from keras_osnet.cli import main\nsys.argv = ['keras-osnet', 'info']\nmain()"
    )
    assert result.returncode == 1
    assert result.stderr.startswith("Error: Keras runs on a backend, and tensorflow is not")
    assert 'pip install "keras-osnet[tensorflow]"' in result.stderr
    assert result.stdout == ""


def test_with_a_backend_that_does_not_exist():
    result = in_fresh_python(
        "import sys, os\nos.environ['KERAS_BACKEND'] = 'theano'\n"
        "from keras_osnet.cli import main\nsys.argv = ['keras-osnet', 'info']\nmain()"
    )
    assert result.returncode == 1
    assert result.stderr.endswith("Received: KERAS_BACKEND=theano\n")


def test_a_pipe_that_closes_early():
    code = "import sys; from keras_osnet.cli import main; sys.argv = ['keras-osnet', {!r}]; main()"
    program = subprocess.Popen(
        [sys.executable, "-c", code.format("weights")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    program.stdout.close()
    assert program.stderr.read() == b""
    program.wait()


def _options(command, path=()):
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from _options(command.get_command(context, name), (*path, name))
    else:
        yield from ((path, each) for each in command.params if isinstance(each, click.Option))


def test_a_range_excludes_nan_and_infinity():
    ranges = [each for each in _options(application) if isinstance(each[1].type, click.FloatRange)]
    assert len(ranges) >= 4
    for path, option in ranges:
        for value in ("nan", "inf"):
            with pytest.raises(click.BadParameter, match=r"not a finite number|not in the range"):
                option.type_cast_value(click.Context(application), value)
        assert option.type_cast_value(click.Context(application), "0.5") == 0.5, path
