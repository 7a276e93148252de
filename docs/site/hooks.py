"""MkDocs hooks: pages and tables that are generated from the package.

MkDocs calls the functions whose names start with `on_`. Nothing here imports Keras: packages are
parsed as text, and the catalogue and the command line do not need it.
"""

import ast
import re
from collections.abc import Iterator
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

PACKAGES = (
    "models", "architecture", "layers", "weights", "metrics", "evaluation", "data", "synthetic",
    "training", "losses", "optimizers", "recipes", "deploy", "runtime", "bulk", "gallery",
    "visualize", "quickstart",
)  # fmt: skip
"""The public packages in the order of the navigation; missing ones are left out."""

SOURCES = {".ipynb", ".js", ".kt", ".py", ".swift"}
"""Kinds of the files of examples that the site contains."""

INSTALLED = {"__pycache__", "build", "node_modules"}
"""Folders among the examples that are not part of the repository."""

TEST_SETS = {
    "market1501": "Market-1501",
    "dukemtmcreid": "DukeMTMC-reID",
    "msmt17": "MSMT17",
    "cuhk03": "CUHK03",
}


def on_config(config: MkDocsConfig) -> None:
    """Add the API reference to the navigation."""
    pages: list[Any] = [{"keras_osnet": "reference/index.md"}]
    pages += [{f"keras_osnet.{name}": f"reference/{name}.md"} for name in packages()]
    pages.append({"Command line": "reference/commands.md"})
    for entry in config.nav or ():
        if "Reference" in entry:
            entry["Reference"] = [*pages, *entry["Reference"]]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add generated pages, the changelog and the examples."""
    generated = {f"reference/{name}.md": package_page(name) for name in packages()}
    generated["reference/index.md"] = index_page()
    generated["reference/commands.md"] = commands_page()
    generated["changelog.md"] = (ROOT / "CHANGELOG.md").read_text("utf-8")
    for path, content in generated.items():
        files.append(File.generated(config, path, content=content))
    for example in examples():
        path = example.relative_to(ROOT).as_posix()
        files.append(File.generated(config, path, abs_src_path=str(example)))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in tables, and point links to examples at their copies in the site."""
    del page, config, files
    markdown = markdown.replace("<!-- checkpoints -->", checkpoints_table(list_weights()))
    return markdown.replace("](../examples/", "](examples/")


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Inline SVG drawings, so that they follow the light or dark colors of the page."""
    del page, config, files

    def drawing(match: re.Match[str]) -> str:
        return (ROOT / "docs" / "images" / match[1]).read_text("utf-8")

    return re.sub(r'<img [^>]*src="(?:\.\./)*images/([\w-]+\.svg)"[^>]*>', drawing, html)


def examples() -> list[Path]:
    """Return the source files of `examples/` and its folders."""
    return sorted(
        path
        for path in (ROOT / "examples").rglob("*.*")
        if path.suffix in SOURCES and not INSTALLED.intersection(path.parts)
    )


def packages() -> list[str]:
    """Return the names of the public packages."""
    return [name for name in PACKAGES if (PACKAGE / name / "__init__.py").is_file()]


def public_names(module: Path) -> list[str]:
    """Return the public names of a package, parsed from its `__init__.py`.

    These are the names that it imports from keras_osnet, apart from `_utils`, and those it defines,
    except those that start with an underscore.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if origin.startswith("keras_osnet") and not origin.startswith("keras_osnet._utils"):
                names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
    return sorted(name for name in names if not name.startswith("_"))


def package_page(package: str) -> str:
    """Return the reference page of a package.

    After every function stand the classes that it returns, if they are not public names.
    """
    module = PACKAGE / package / "__init__.py"
    text = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    at_top = public_names(PACKAGE / "__init__.py")
    names = sorted(public_names(module), key=lambda name: (name not in at_top, name))
    entries: dict[str, None] = {}  # an ordered set
    for name in names:
        entries[f"::: keras_osnet.{package}.{name}"] = None
        for path in returned_classes(package, name):
            if path.rpartition(".")[2] not in names:
                entries[f"::: {path}"] = None
    return "\n\n".join([f"# keras_osnet.{package}", text, *entries]) + "\n"


def returned_classes(package: str, name: str) -> list[str]:
    """Return the paths of the package's classes that a public name returns or has as fields."""
    paths: list[str] = []
    module = imported_names(PACKAGE / package / "__init__.py").get(name, "")
    to_read = [(module, name)] if module else []
    while to_read:
        module, name = to_read.pop()
        source = ROOT / (module.replace(".", "/") + ".py")
        homes = imported_names(source)
        body = ast.parse(source.read_text("utf-8")).body
        homes |= {node.name: module for node in body if isinstance(node, ast.ClassDef)}
        for node in body:
            if getattr(node, "name", None) != name:
                continue
            fields = [each for each in getattr(node, "body", []) if isinstance(each, ast.AnnAssign)]
            types = [each.annotation for each in fields] + [getattr(node, "returns", None)]
            for each in re.findall(r"\w+", " ".join(ast.unparse(one) for one in types if one)):
                path = f"{homes.get(each, '')}.{each}"
                if path.startswith(f"keras_osnet.{package}.") and path not in paths:
                    paths.append(path)
                    to_read.append((homes[each], each))
    return paths


def imported_names(module: Path) -> dict[str, str]:
    """Return the module that each name is imported from, of those of keras_osnet."""
    return {
        alias.asname or alias.name: node.module or ""
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras_osnet.")
        for alias in node.names
    }


def index_page() -> str:
    """Return the first page of the reference: the top-level names and the packages."""
    module = PACKAGE / "__init__.py"
    homes = imported_names(module)
    public = [name for name in public_names(module) if name in homes]
    names = [f"- [`keras_osnet.{name}`][{homes[name]}.{name}]" for name in public]
    summaries = []
    for package in packages():
        source = (PACKAGE / package / "__init__.py").read_text("utf-8")
        text = ast.get_docstring(ast.parse(source))
        first = " ".join((text or "").split("\n\n")[0].split())
        summaries.append(f"| [`keras_osnet.{package}`]({package}.md) | {first} |")
    return "\n".join(
        [
            "# keras_osnet",
            "",
            "`import keras_osnet` imports neither Keras nor a backend; names are imported on first",
            "use. The top level contains the names that most programs need:",
            "",
            *names,
            "",
            "Everything else is in sub-packages:",
            "",
            "| package | content |",
            "| --- | --- |",
            *summaries,
            "",
            "See [Command line](commands.md) for the program `keras-osnet`.",
            "",
        ]
    )


def commands_page() -> str:
    """Return the help of every command and subcommand."""
    top = application.make_context("keras-osnet", [], resilient_parsing=True)
    top.terminal_width = 88
    parts = ["# Command line", "The output of `keras-osnet COMMAND --help` for every command."]
    for command, context in subcommands(top):
        parts += [f"## {context.info_name}", f"```text\n{command.get_help(context)}\n```"]
        for inner, inner_context in subcommands(context):
            title = f"### {context.info_name} {inner_context.info_name}"
            parts += [title, f"```text\n{inner.get_help(inner_context)}\n```"]
    return "\n\n".join(parts) + "\n"


def subcommands(parent: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield the commands of a group with their contexts; nothing for other commands."""
    group = parent.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        if command is None:
            raise ValueError(f"Every listed command must exist. Received: {name}")
        yield command, click.Context(command, info_name=name, parent=parent)


def checkpoints_table(checkpoints: list[WeightsInfo]) -> str:
    """Return the table of published checkpoints with the results that the authors report."""
    lines = [
        "| variant | width | `weights=` | published rank-1 / mAP in percent | distance |",
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
