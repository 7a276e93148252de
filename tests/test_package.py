"""The package as a whole: what importing it costs, and which package may import which."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import keras_osnet

PACKAGE = Path(keras_osnet.__file__).parent

MAY_IMPORT: dict[str, set[str]] = {
    "_utils": set(),
    "recipes": set(),
    "metrics": set(),
    "data": set(),
    "synthetic": {"data"},
    "layers": set(),
    "losses": set(),
    "optimizers": set(),
    "architecture": {"layers"},
    "weights": {"architecture", "layers"},
    "models": {"architecture", "weights"},
    "evaluation": {"architecture", "data", "metrics"},
    "runtime": {"data"},
    "bulk": {"data", "runtime"},
    "training": {
        "architecture",
        "bulk",
        "data",
        "evaluation",
        "layers",
        "losses",
        "metrics",
        "models",
        "optimizers",
        "recipes",
        "runtime",
        "weights",
    },
    "gallery": {"data", "metrics", "runtime"},
    "deploy": {"architecture", "data", "layers", "metrics", "runtime", "synthetic"},
    "visualize": {"architecture", "data", "evaluation", "layers", "metrics", "runtime"},
    "quickstart": {
        "data",
        "deploy",
        "evaluation",
        "metrics",
        "models",
        "runtime",
        "synthetic",
        "training",
        "visualize",
    },
}
MAY_IMPORT["cli"] = set(MAY_IMPORT)
"""Imports go one way: a package imports only packages before it here, and `_utils`.

docs/architecture.md has the same table.
"""


def in_fresh_python(code):
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_importing_the_package_imports_nothing_heavy():
    heavy = ["keras", "tensorflow", "jax", "torch", "huggingface_hub", "PIL", "numpy", "rich"]
    heavy += ["lance", "pyarrow", "ray"]
    loaded = in_fresh_python(
        f"import sys, keras_osnet; print([name for name in {heavy} if name in sys.modules])"
    )
    assert loaded.strip() == "[]"


@pytest.mark.parametrize("name", ["metrics", "data", "runtime", "bulk", "gallery", "synthetic"])
def test_packages_that_need_numpy_only(name):
    """Every public name of theirs can be had where Keras and the backends are not installed."""
    absent = ["keras", "tensorflow", "jax", "torch", "huggingface_hub"]
    in_fresh_python(
        f"import sys\nsys.modules.update(dict.fromkeys({absent}))\n"
        f"import keras_osnet\nfor name in keras_osnet.{name}.__all__:\n"
        f"    assert getattr(keras_osnet.{name}, name) is not None\n"
    )


def test_every_public_name_resolves_and_unknown_ones_do_not():
    for name in dir(keras_osnet):
        public = getattr(keras_osnet, name)
        assert public is not None
        for inner in getattr(public, "__all__", ()):
            assert getattr(public, inner) is not None
    with pytest.raises(AttributeError, match="OSNett"):
        _ = keras_osnet.OSNett


@pytest.mark.large
def test_a_public_name_is_never_the_file_of_that_name():
    """Python binds every imported submodule to its package, in the place of `complexity`, say."""
    code = """
import importlib, os, pkgutil, sys, types
os.environ["KERAS_BACKEND"] = "numpy"
import keras_osnet
for module in pkgutil.walk_packages(keras_osnet.__path__, "keras_osnet."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
packages = [module for module in list(sys.modules.values()) if hasattr(module, "__path__")]
for package in packages:
    if package.__name__.startswith("keras_osnet."):
        for name in package.__all__ if hasattr(package, "__all__") else ():
            if isinstance(getattr(package, name), types.ModuleType):
                print(package.__name__, name)
for name in ("OSNet", "load_model", "list_models", "list_weights"):
    assert callable(getattr(keras_osnet, name)), name
"""
    assert in_fresh_python(code).strip() == ""


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_no_package_imports_one_above_it(package):
    for path in (PACKAGE / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                parts = name.split(".")
                if parts[0] == "keras_osnet" and len(parts) > 1 and parts[1] in MAY_IMPORT:
                    allowed = {package, "_utils", *MAY_IMPORT[package]}
                    assert parts[1] in allowed, (path, name)


def test_every_package_is_listed():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages == set(MAY_IMPORT)


def test_the_order_of_packages():
    names = list(MAY_IMPORT)
    for place, package in enumerate(names):
        assert MAY_IMPORT[package] <= set(names[:place]), package


def test_the_documentation_has_the_same_table():
    page = Path(__file__).parent.parent / "docs" / "architecture.md"
    documented = {}
    for line in page.read_text("utf-8").splitlines():
        if line.startswith("| `"):
            _, packages, _, imports, _ = line.split("|")
            documented |= dict.fromkeys(re.findall(r"`(\w+)`", packages), imports.strip())
    assert list(documented) == list(MAY_IMPORT)
    assert documented.pop("cli") == "all"
    for package, imports in documented.items():
        assert set(re.findall(r"`(\w+)`", imports)) == MAY_IMPORT[package], package


def test_contributing_names_files_and_tables_that_exist():
    root = Path(__file__).parent.parent
    table = [
        line
        for line in (root / "CONTRIBUTING.md").read_text("utf-8").splitlines()
        if line.startswith("| ") and "`" in line and "pytest" not in line
    ]
    assert len(table) > 10
    text = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    for line in table:
        for name in re.findall(r"`([\w./]+)`", line):
            if "/" in name:
                assert (root / name).exists() or (PACKAGE / name).exists(), line
            elif re.fullmatch(r"_?[A-Z_]+|_\w+", name) and not name.startswith("__"):
                assert re.search(rf"^(def )?{name}\b", text, re.MULTILINE), line


def test_scripts_import_names_that_exist():
    """No test runs the long ones, such as `weights/train_synthetic.py`."""
    root = PACKAGE.parent
    folders = ("weights", "examples", "tests/benchmarks", "tests/fuzz", "docs/site")
    names = {
        f"{node.module}.{alias.name}": script
        for folder in folders
        for script in sorted((root / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(script.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras_osnet")
        for alias in node.names
    }
    assert len(names) > 100
    for name, script in names.items():
        assert _exists(name), f"{script}: {name}"


@pytest.mark.large
def test_names_in_documents_docstrings_and_messages_exist():
    """Such as `keras_osnet.metrics.ranking.RankingResult` in the docstring of another package."""
    root = PACKAGE.parent
    files = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.toml"), *root.glob("*.md")]
    files += [*root.glob("docs/*.md"), *root.glob("examples/*.py")]
    named = {
        name: path
        for path in files
        for name in re.findall(
            r"(?<![\w./])keras_osnet(?:\.[A-Za-z_]\w*)+", path.read_text("utf-8")
        )
        if name not in ("keras_osnet.json", "keras_osnet.in_ascii")  # a file, an error handler
    }
    assert len(named) > 200
    for name, path in named.items():
        assert _exists(name), f"{path}: {name}"


def _exists(name):
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            value = getattr(value, part, None)
        if value is not None:
            return True
    return False
