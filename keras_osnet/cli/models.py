"""`keras-osnet models`: the named architectures."""

from typing import Any

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import print_json, print_table, progress
from keras_osnet.cli.keras_import import import_keras


@click.command("models")
@click.option(
    "--complexity",
    "with_complexity",
    is_flag=True,
    help="Build every model and count parameters and mult-adds as the paper does.",
)
@options.as_json
def command(with_complexity: bool, as_json: bool) -> None:
    """List the named architectures.

    Each is a call of keras_osnet.OSNet with the arguments shown.
    """
    from keras_osnet.models import list_models

    models = list_models()
    counts = _counts(models) if with_complexity else {}
    if as_json:
        print_json(
            [
                {"name": name, "arguments": arguments, **counts.get(name, {})}
                for name, arguments in models.items()
            ]
        )
        return
    if not counts:
        print_table(("name", "arguments"), [(name, _call(models[name])) for name in models])
        return
    numbers = ("parameters", "trainable", "mult-adds")
    print_table(
        ("name", *numbers),
        [(name, *(f"{count:,}" for count in counts[name].values())) for name in models],
        numbers=numbers,
    )
    click.echo(
        "\nFor one image of the model's own size, classifier left out. parameters: as the paper\n"
        "counts them, a gate once for every stream that shares it; trainable: really there."
    )


def _call(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def _counts(models: dict[str, dict[str, Any]]) -> dict[str, dict[str, int]]:
    import_keras()
    from keras_osnet.evaluation import complexity
    from keras_osnet.models import OSNet

    counts = {}
    with progress("Building", len(models)) as advance:
        for done, (name, arguments) in enumerate(models.items(), start=1):
            counted = complexity(OSNet(**arguments, head="embedding"))
            counts[name] = {
                "parameters": counted.parameters,
                "trainable_parameters": counted.trainable_parameters,
                "mult_adds": counted.mult_adds,
            }
            advance(done)
    return counts
