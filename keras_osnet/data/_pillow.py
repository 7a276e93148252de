"""Pillow, imported when a picture is first read or written."""

from types import ModuleType


def require_pillow() -> ModuleType:
    """The module `PIL.Image`, or an ImportError that says how to get it.

    Pillow is not a dependency of the package, as models and embedders take arrays.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Reading and writing pictures needs Pillow, which is not installed. "
            'Install it with: pip install "keras-osnet[cli]"'
        ) from error
    return Image
