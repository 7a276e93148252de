"""Pillow, imported when a picture is first read or written."""

import sys
from types import ModuleType
from typing import Any


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


def is_pillow_image(value: Any) -> bool:
    """Whether this is a picture of Pillow's, which nobody has who has not imported it."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)
