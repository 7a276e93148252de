"""The recipes that come with the package, one TOML file each.

They are outside of `keras_osnet.training`, whose `load_recipe` checks them, so that listing recipes
does not import Keras.
"""

import os
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from keras_osnet._utils.files import read_bytes

_LIMIT = 1 << 20
"""Bytes of a recipe that are read at most."""


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package.

    Example:
        >>> recipe_names()[:2]
        ['attributes', 'cifar']
    """
    files = (file.name for file in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml"))


def recipe_text(recipe: str | os.PathLike[str]) -> str:
    """Return the TOML of a recipe, by its name or from a `.toml` file.

    Raises:
        ValueError: There is no such recipe.
        OSError: There is no such file, or it cannot be read.

    Example:
        >>> recipe_text("fine_tune").splitlines()[0]
        "# From ImageNet's weights: ICCV 2019, section 4.1."
    """
    if str(recipe).endswith(".toml"):
        return read_bytes(recipe, _LIMIT).decode("utf-8")
    names = recipe_names()
    if recipe not in names:
        raise ValueError(
            f"`recipe` must be one of {', '.join(names)}, or a .toml file. Received: {recipe!r}"
        )
    return (resources.files(__name__) / f"{recipe}.toml").read_text("utf-8")


def recipe_entries(recipe: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the entries of a recipe's TOML, unchecked.

    Raises:
        ValueError: There is no such recipe, or the file is not TOML.
        OSError: There is no such file, or it cannot be read.
    """
    try:
        return tomllib.loads(recipe_text(recipe))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"A recipe is a TOML file. Received: {recipe}: {error}") from error
