"""`keras-osnet info`: one model, or what a file of weights holds."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import print_facts, print_json, print_table, waiting
from keras_osnet.cli.keras_import import import_keras

if TYPE_CHECKING:
    import keras

    from keras_osnet.models.describe_checkpoint import CheckpointDescription


@click.command("info")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option("--weights", metavar="TAG|FILE", help="Look into these weights as well.")
@options.width
@options.variant
@options.size("Height and width of the image.", default=None)
@options.as_json
def command(
    file: str | None,
    weights: str | None,
    width: float | None,
    variant: str | None,
    size: tuple[int, int] | None,
    as_json: bool,
) -> None:
    """Show the size of a model and its layers, or what FILE holds.

    \b
    keras-osnet info --width 0.25
    keras-osnet info osnet_x0_25_msmt17.pth
    keras-osnet info --weights market1501 --variant ain
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    if file and weights:
        raise click.UsageError("FILE and --weights mean the same; give one of them.")
    import_keras()
    from keras_osnet.models import OSNet, describe_checkpoint, open_checkpoint

    with waiting("Building …"):
        checkpoint = None
        if file or weights:
            opened = open_checkpoint(file or weights or "", width=width, variant=variant)
            checkpoint = describe_checkpoint(opened)
            model, _ = opened.build(head="embedding", image_size=size)
        else:
            model = OSNet(
                1.0 if width is None else width,
                variant=variant or "base",
                head="embedding",
                input_shape=None if size is None else (*size, 3),
            )
    facts = _facts(model)
    if as_json:
        print_json({"checkpoint": checkpoint and asdict(checkpoint), "model": facts})
        return
    if checkpoint:
        _print_checkpoint(checkpoint)
    _print_model(facts)


def _facts(model: "keras.Model") -> dict[str, Any]:
    from keras_osnet.evaluation import complexity
    from keras_osnet.models import describe_layers

    counted = complexity(model)
    return {
        "name": model.name,
        "input_shape": model.input_shape[1:],
        "embedding_length": model.output_shape[-1],
        "parameters": counted.parameters,
        "trainable_parameters": counted.trainable_parameters,
        "mult_adds": counted.mult_adds,
        "layers": [asdict(layer) for layer in describe_layers(model)],
    }


def _print_checkpoint(checkpoint: "CheckpointDescription") -> None:
    tensors = checkpoint.tensors
    print_facts(
        [
            ("file", checkpoint.file),
            ("bytes", f"{checkpoint.size:,}"),
            ("sha256", checkpoint.sha256),
            (
                "tensors",
                "in Keras's own format"
                if tensors is None
                else f"{sum(tensors.values())} ("
                + ", ".join(f"{count} {kind}" for kind, count in tensors.items())
                + ")",
            ),
            ("classes", "no classifier" if checkpoint.classes is None else f"{checkpoint.classes}"),
        ]
    )
    click.echo()


def _print_model(facts: dict[str, Any]) -> None:
    print_facts(
        [
            ("model", facts["name"]),
            ("input", _times(facts["input_shape"])),
            ("embedding", f"{facts['embedding_length']}"),
            (
                "parameters",
                f"{facts['parameters']:,} (as the paper counts them; trainable, really there: "
                f"{facts['trainable_parameters']:,})",
            ),
            ("mult-adds", f"{facts['mult_adds']:,}"),
        ]
    )
    click.echo()
    print_table(
        ("layer", "kind", "output", "trainable"),
        [
            (
                layer["name"],
                layer["kind"],
                _times(layer["output_shape"]),
                f"{layer['parameters']:,}" if layer["parameters"] else "",
            )
            for layer in facts["layers"]
        ],
        numbers=("output", "trainable"),
    )


def _times(shape: tuple[int | None, ...]) -> str:
    return " × ".join(str(length) for length in shape)
