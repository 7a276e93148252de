"""Every command line in the README, the documentation and the examples is accepted."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from keras_osnet.cli.application import application
from keras_osnet.recipes import recipe_names
from keras_osnet.weights.catalogue import find_weights

pytestmark = pytest.mark.large

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.*"))
PROGRAM = re.compile(r"(?:\S*/)?keras-osnet ")


def shell_lines(text):
    for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()


def example_lines(path):
    """Return the command lines in the docstring of a script or the text of a notebook."""
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


def find(name, *rest):
    """Return the command of a line (`visualize ranked` has two words) and its arguments."""
    command = application.get_command(click.Context(application), name)
    assert command is not None, f"there is no command {name}"
    if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name, *rest = rest
        group, command = command, command.get_command(click.Context(command), name)
        assert command is not None, f"{group.name} has no {name}"
    return command, list(rest)


@pytest.fixture
def any_path_exists(monkeypatch, tmp_path, line):
    """Accept folders and files that do not exist, but for that of `--output`, which is new."""
    output = re.search(r"(?:--output|-o) (\S+)", line)
    new = tmp_path / output[1] if output else None
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(value))
    monkeypatch.setattr(Path, "exists", lambda self: self.absolute() != new)
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("hat\nbackpack\n")


@pytest.mark.parametrize("line", COMMANDS)
def test_command_line(line, any_path_exists):
    _, name, *arguments = shlex.split(line, comments=True)
    arguments = arguments[: arguments.index(">")] if ">" in arguments else arguments
    command, arguments = find(name, *arguments)
    given = command.make_context(command.name, arguments).params
    if name == "train":
        assert given["recipe"] in recipe_names() or given["recipe"].endswith(".toml")
    weights = given.get("weights") or ()
    for each in (str(weights),) if isinstance(weights, str | Path) else weights:
        if "." not in each and each != "random":
            # These are published for one width only.
            default = 0.25 if each.startswith("synthetic") else 1.0
            variant, width = given.get("variant") or "base", given.get("width") or default
            find_weights(each, variant=variant, width=width)


@pytest.mark.parametrize("code", MENTIONED)
def test_command_in_a_sentence(code):
    _, name, *rest = code.split()
    if name in ("COMMAND", "--help"):
        return
    command, rest = find(name, *rest)
    options = {option for parameter in command.params for option in parameter.opts}
    options |= {"--help", "-h"}
    assert {word for word in rest if re.fullmatch(r"--?[a-z][\w-]*", word)} <= options


@pytest.mark.parametrize("line", [each for each in LINES if 'install "' in each.values[0]])
def test_extras(line):
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    named = re.search(r"\[([\w,]+)\]", line)[1].split(",")
    assert set(named) <= set(extras)


def test_scripts_exist():
    for path in DOCUMENTS:
        text = " ".join(path.read_text("utf-8").split())
        for script in re.findall(r"python ((?:tests|examples|docs)/\S+\.py)", text):
            assert (ROOT / script).is_file(), f"{path.name} mentions {script}"


def test_commands_are_found():
    assert len(COMMANDS) > 30
    assert len(MENTIONED) > 10
