"""The program takes every command line in the README, the documentation and the examples."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from keras_osnet.cli.application import application
from keras_osnet.recipes import recipe_names
from keras_osnet.weights import find_checkpoint

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.*"))
PROGRAM = re.compile(r"(?:\S*/)?keras-osnet ")


def shell_lines(text):
    for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()


def example_lines(path):
    """What an example's docstring, or the text of its notebook, says to type."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        cells = (cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")
        return list(shell_lines("\n\n".join("".join(cell["source"]) for cell in cells)))
    return re.findall(r"^    (keras-osnet .*)$", text, re.MULTILINE)


LINES = [
    pytest.param(line, id=f"{path.name}: {line}")
    for paths, lines_of in (
        (DOCUMENTS, lambda path: shell_lines(path.read_text("utf-8"))),
        (EXAMPLES, example_lines),
    )
    for path in paths
    for line in lines_of(path)
]
COMMANDS = [each for each in LINES if PROGRAM.match(each.values[0])]
MENTIONED = sorted(
    {
        code
        for path in DOCUMENTS
        for code in re.findall(r"`([^`\n]+)`", path.read_text("utf-8"))
        if PROGRAM.match(code)
    }
)


def found(name, *rest):
    """The command of a line, `visualize ranked` of two words, and what comes behind its name."""
    command = application.get_command(click.Context(application), name)
    assert command is not None, f"there is no command {name}"
    if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name, *rest = rest
        group, command = command, command.get_command(click.Context(command), name)
        assert command is not None, f"{group.name} has no {name}"
    return command, list(rest)


@pytest.fixture
def anything_is_there(monkeypatch, tmp_path):
    """Folders and files that the documentation speaks of need not be there."""
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(value))
    monkeypatch.setattr(Path, "exists", lambda self: True)
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("hat\nbackpack\n")


@pytest.mark.parametrize("line", COMMANDS)
def test_command_line(line, anything_is_there):
    _, name, *arguments = shlex.split(line, comments=True)
    arguments = arguments[: arguments.index(">")] if ">" in arguments else arguments
    command, arguments = found(name, *arguments)
    given = command.make_context(command.name, arguments).params
    if name == "train":
        assert given["recipe"] in recipe_names() or given["recipe"].endswith(".toml")
    weights = given.get("weights") or ()
    for each in (weights,) if isinstance(weights, str) else weights:
        if "." not in each and each != "random":
            variant, width = given.get("variant") or "base", given.get("width") or 1.0
            find_checkpoint(each, variant=variant, width=width)


@pytest.mark.parametrize("code", MENTIONED)
def test_command_in_a_sentence(code):
    _, name, *rest = code.split()
    if name == "COMMAND":
        return
    command, rest = found(name, *rest)
    options = {option for parameter in command.params for option in parameter.opts}
    options |= {"--help", "-h"}
    assert {word for word in rest if re.fullmatch(r"--?[a-z][\w-]*", word)} <= options


@pytest.mark.parametrize("line", [each for each in LINES if "keras-osnet[" in each.values[0]])
def test_extras(line):
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    named = re.search(r"\[([\w,]+)\]", line)[1].split(",")
    assert set(named) <= set(extras)


def test_scripts_are_there():
    for path in DOCUMENTS:
        text = " ".join(path.read_text("utf-8").split())
        for script in re.findall(r"python ((?:tests|examples|docs)/\S+\.py)", text):
            assert (ROOT / script).is_file(), f"{path.name} speaks of {script}"


def test_there_are_commands():
    assert len(COMMANDS) > 30
    assert len(MENTIONED) > 10
