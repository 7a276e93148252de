"""What the site is made of besides the pages in docs/: pages and tables made from the package.

MkDocs calls the functions whose names begin with `on_`. Nothing here imports Keras: rooms are read
as text, the catalogue and the command line are light.
"""

import ast
import re
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from keras_osnet.cli.application import application
from keras_osnet.weights.catalogue import WeightsInfo, list_weights

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "keras_osnet"

ROOMS = (
    "models", "weights", "layers", "data", "training", "recipes",
    "evaluation", "visualize", "deploy", "runtime", "quickstart",
)  # fmt: skip
"""The public rooms, in the order in which people meet them; one that is not there is left out."""

TEST_SETS = {
    "market1501": "Market-1501",
    "dukemtmcreid": "DukeMTMC-reID",
    "msmt17": "MSMT17",
    "cuhk03": "CUHK03",
}


def on_config(config: MkDocsConfig) -> None:
    """Add the reference to the navigation."""
    pages: list[Any] = [{"The package": "reference/index.md"}]
    pages += [{f"keras_osnet.{room}": f"reference/{room}.md"} for room in rooms()]
    pages.append({"Command line": "reference/commands.md"})
    for entry in config.nav or ():
        if "Reference" in entry:
            entry["Reference"] = pages


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add pages that are made, and files from elsewhere in the repository."""
    made = {f"reference/{room}.md": room_page(room) for room in rooms()}
    made["reference/index.md"] = package_page()
    made["reference/commands.md"] = commands_page()
    made["changelog.md"] = (ROOT / "CHANGELOG.md").read_text("utf-8")
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    for example in sorted((ROOT / "examples").glob("*.*")):
        files.append(File.generated(config, f"examples/{example.name}", abs_src_path=str(example)))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in tables, and lead links to the examples to their copies."""
    del page, config, files
    markdown = markdown.replace("<!-- checkpoints -->", checkpoints_table(list_weights()))
    return markdown.replace("](../examples/", "](examples/")


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put drawings into the page, where they take its colours, light or dark."""
    del page, config, files

    def drawing(match: re.Match[str]) -> str:
        return (ROOT / "docs" / "pictures" / match[1]).read_text("utf-8")

    return re.sub(r'<img [^>]*src="(?:\.\./)*pictures/([\w-]+\.svg)"[^>]*>', drawing, html)


def rooms() -> list[str]:
    """Return the public rooms that the package has."""
    return [room for room in ROOMS if (PACKAGE / room / "__init__.py").is_file()]


def public_names(module: Path) -> list[str]:
    """Return the public names of a room, from the text of its `__init__.py`.

    They are what it imports from the package and what it defines; rooms import what they offer,
    and nothing else that has no underscore, `lazy` apart.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras_osnet"):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
    return sorted(name for name in names - {"lazy"} if not name.startswith("_"))


def room_page(room: str) -> str:
    """Return the reference of a room."""
    module = PACKAGE / room / "__init__.py"
    text = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    at_top = public_names(PACKAGE / "__init__.py")
    names = sorted(public_names(module), key=lambda name: (name not in at_top, name))
    entries = (f"::: keras_osnet.{room}.{name}" for name in names)
    return "\n\n".join([f"# keras_osnet.{room}", text, *entries]) + "\n"


def package_page() -> str:
    """Return the reference of the package: what stands at its top, and where it is described."""
    module = PACKAGE / "__init__.py"
    homes: dict[str, str] = {}
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras_osnet."):
            homes |= {alias.name: node.module or "" for alias in node.names}
    names = [f"- [`keras_osnet.{name}`][{homes[name]}.{name}]" for name in sorted(homes)]
    summaries = []
    for room in rooms():
        text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text("utf-8")))
        first = " ".join((text or "").split("\n\n")[0].split())
        summaries.append(f"| [`keras_osnet.{room}`]({room}.md) | {first} |")
    return "\n".join(
        [
            "# keras_osnet",
            "",
            "`import keras_osnet` imports neither Keras nor a backend: names are imported on first",
            "use. At the top stand those that most programs begin with:",
            "",
            *names,
            "",
            "The rest is in rooms, each a sub-module:",
            "",
            "| room | what is in it |",
            "| --- | --- |",
            *summaries,
            "",
            "The program `keras-osnet` has [a page of its own](commands.md).",
            "",
        ]
    )


def commands_page() -> str:
    """Return the help of every command."""
    top = application.make_context("keras-osnet", [], resilient_parsing=True)
    top.terminal_width = 88
    parts = [
        "# Command line",
        "What `keras-osnet COMMAND --help` prints.",
    ]
    for name in application.list_commands(top):
        command = application.get_command(top, name)
        if command is None:
            raise ValueError(f"The command line lists a command that it has not. Received: {name}")
        context = click.Context(command, info_name=name, parent=top)
        parts += [f"## {name}", f"```text\n{command.get_help(context)}\n```"]
    return "\n\n".join(parts) + "\n"


def checkpoints_table(checkpoints: list[WeightsInfo]) -> str:
    """Return the table of published checkpoints: what to ask for, and what its authors report."""
    lines = [
        "| variant | width | `weights=` | published rank-1 / mAP, in per cent | distance |",
        "| --- | --- | --- | --- | --- |",
    ]
    for checkpoint in checkpoints:
        figures = ", ".join(
            f"{TEST_SETS.get(dataset, dataset)} {rank_1:.1f} / {mean_ap:.1f}"
            for dataset, (rank_1, mean_ap) in checkpoint.published.items()
        )
        lines.append(
            f"| {checkpoint.variant} | {checkpoint.width} | `{checkpoint.tag}` "
            f"| {figures or '–'} | {checkpoint.distance if figures else '–'} |"
        )
    return "\n".join(lines)
