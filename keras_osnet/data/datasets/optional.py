"""Files that need packages which keras-osnet does not depend on, imported when one is read."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any


def require_module(module: str, kind: str) -> ModuleType:
    """Import a module of a package that keras-osnet does not depend on.

    Args:
        module: Its name; the package to install is its first part.
        kind: What it is needed for, in the plural: "MATLAB files".

    Raises:
        ImportError: If it is not installed. Says how to install it.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"Reading {kind} needs {package}, which is not installed. "
            f"Install it with: pip install {package}"
        ) from error


def load_mat(path: Path) -> dict[str, Any]:
    """Read a MATLAB file of versions 4 to 7.2; ValueError if it is none."""
    scipy_io = require_module("scipy.io", "MATLAB files")
    try:
        return scipy_io.loadmat(path)
    # Broken files give errors of every kind, some of them scipy's own.
    except Exception as error:
        raise ValueError(f"Cannot read the MATLAB file: {error}. Received: {path}") from error


def open_mat73(path: Path) -> Any:
    """Open a MATLAB file of version 7.3, which is HDF5; ValueError if it is none."""
    h5py = require_module("h5py", "MATLAB 7.3 files")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"Cannot read the MATLAB 7.3 file: {error}. Received: {path}") from error
