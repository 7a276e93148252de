"""`keras-osnet recipes`: the recipes of `train`."""

from typing import Any

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import print_json, print_table
from keras_osnet.recipes import recipe_entries, recipe_names, recipe_text


@click.command("recipes")
@click.argument("name", required=False)
@options.as_json
def command(name: str | None, as_json: bool) -> None:
    """List the recipes of `train`, or print one.

    NAME prints the file of that recipe: the hyperparameters of a training, in TOML. Copy one to
    make your own.

    \b
    keras-osnet recipes
    keras-osnet recipes few_people > own.toml
    keras-osnet train own.toml --data crops -o run
    """
    if name is not None:
        text = recipe_text(name)
        if as_json:
            print_json(recipe_entries(name))
        else:
            click.echo(text, nl=False)
        return
    recipes = {each: recipe_entries(each) for each in recipe_names()}
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


def batch_text(batch_size: Any) -> str:
    """Return a batch size as text: images, or people × images of each."""
    return f"{batch_size}" if isinstance(batch_size, int) else "{} × {}".format(*batch_size)
