"""`keras-osnet recipes`: what `train` can train by."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import print_json, print_table


@click.command("recipes")
@click.argument("name", required=False)
@options.as_json
def command(name: str | None, as_json: bool) -> None:
    """List what `train` can train by, or print a recipe.

    NAME prints the file of that recipe: the numbers of a training, in TOML. To make your own, begin
    with one of these.

    \b
    keras-osnet recipes
    keras-osnet recipes few_people > own.toml
    keras-osnet train own.toml --data crops -o run
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    if name is not None:
        text = recipe_text(name)
        if as_json:
            print_json(tomllib.loads(text))
        else:
            click.echo(text, nl=False)
        return
    recipes = {each: tomllib.loads(recipe_text(each)) for each in _names()}
    if as_json:
        print_json([{"name": each, **recipe} for each, recipe in recipes.items()])
        return
    print_table(
        ("name", "task", "epochs", "batch", "optimizer", "title", "source"),
        [
            (
                each,
                recipe["task"],
                f"{recipe['epochs']}",
                batch_text(recipe["batch_size"]),
                "{name} {learning_rate:g}".format(**recipe["optimizer"]),
                recipe["title"],
                recipe["source"],
            )
            for each, recipe in recipes.items()
        ],
        numbers=("epochs", "batch"),
    )
    click.echo(f"\n{len(recipes)} recipes. `keras-osnet recipes NAME` prints one.")


def recipe_text(recipe: str) -> str:
    """Return the TOML of a recipe, by its name or from a `.toml` file.

    Raises:
        ValueError: There is no such recipe.
        OSError: There is no such file, or it cannot be read.
    """
    if recipe.endswith(".toml"):
        return Path(recipe).read_text("utf-8")
    if recipe not in _names():
        raise ValueError(
            f"A recipe is one of {', '.join(_names())}, or a .toml file. Received: {recipe!r}"
        )
    return (_folder() / f"{recipe}.toml").read_text("utf-8")


def batch_text(batch_size: Any) -> str:
    """Return a batch size in words: pictures, or people × pictures of each."""
    return f"{batch_size}" if isinstance(batch_size, int) else "{} × {}".format(*batch_size)


def _names() -> list[str]:
    return sorted(file.name.removesuffix(".toml") for file in _folder().iterdir())


def _folder() -> Any:
    # By its path, as importing the room `training` would import Keras.
    return resources.files("keras_osnet") / "training" / "recipes"
