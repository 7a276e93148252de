"""Packages that only some rooms need, imported when they are used."""

import importlib
import importlib.util
from types import ModuleType


def require(module: str, purpose: str, extra: str) -> ModuleType:
    """Import an optional package, or raise an ImportError that says how to get it.

    Args:
        module: Name of the module.
        purpose: What needs it, the beginning of a sentence: "Exporting".
        extra: The extra of this package that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise missing(module, purpose, extra) from error


def check_installed(module: str, purpose: str, extra: str) -> None:
    """Raise ImportError unless a package is installed, without importing it."""
    if importlib.util.find_spec(module) is None:
        raise missing(module, purpose, extra)


def missing(module: str, purpose: str, extra: str) -> ImportError:
    """The error for a package that is not there."""
    return ImportError(
        f"{purpose} needs {module}, which is not installed. "
        f'Install it with: pip install "keras-osnet[{extra}]"'
    )
