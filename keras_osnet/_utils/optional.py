"""Optional dependencies, imported when they are first used."""

import importlib
import importlib.util
from types import ModuleType


def require(module: str, purpose: str, extra: str) -> ModuleType:
    """Import an optional dependency, or raise an ImportError that says how to install it.

    Args:
        module: Name of the module.
        purpose: The feature that needs it, as the start of a sentence: "Exporting".
        extra: The extra of keras-osnet that installs it.
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
    """Return the error for a package that is not installed."""
    top = module.partition(".")[0]
    packages = {"PIL": "Pillow", "cv2": "opencv-python-headless", "lance": "pylance"}
    package = packages.get(top, top.replace("_", "-"))
    return ImportError(
        f"{purpose} needs {package}, which is not installed. "
        f'Install it with: pip install "keras-osnet[{extra}]"'
    )
