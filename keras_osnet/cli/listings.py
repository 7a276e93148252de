"""`keras-osnet models`, `weights` and `info`: architectures, published weights, one model."""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import (
    echo,
    import_keras,
    print_facts,
    print_json,
    print_table,
    progress,
)
from keras_osnet.cli.options import ModelSource

if TYPE_CHECKING:
    import keras


@click.command("models")
@click.option(
    "--complexity",
    "with_complexity",
    is_flag=True,
    help="Build every model and count parameters and mult-adds as the paper does.",
)
@options.as_json
def models(with_complexity: bool, as_json: bool) -> None:
    """List the named architectures.

    Each is a call of keras_osnet.OSNet with the arguments shown.
    """
    from keras_osnet.models import list_models

    named = list_models()
    counts = _counts(named) if with_complexity else {}
    if as_json:
        print_json(
            [
                {"name": name, "arguments": arguments, **counts.get(name, {})}
                for name, arguments in named.items()
            ]
        )
        return
    if not counts:
        print_table(
            ("name", "arguments"), [(name, _call(arguments)) for name, arguments in named.items()]
        )
        return
    numbers = ("parameters", "trainable", "mult-adds")
    print_table(
        ("name", *numbers),
        [(name, *(f"{count:,}" for count in counts[name].values())) for name in named],
        numbers=numbers,
    )
    echo(
        "\nFor one image of the default size, without classifier. parameters: as the paper counts\n"
        "them, a shared gate once per stream; trainable: actual parameters."
    )


def _call(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def _counts(named: dict[str, dict[str, Any]]) -> dict[str, dict[str, int]]:
    import_keras()
    from keras_osnet.evaluation import complexity
    from keras_osnet.models import OSNet

    counts = {}
    with progress("Building", len(named)) as advance:
        for done, (name, arguments) in enumerate(named.items(), start=1):
            counted = complexity(OSNet(**arguments, head="embedding"))
            counts[name] = {
                "parameters": counted.parameters,
                "trainable_parameters": counted.trainable_parameters,
                "mult_adds": counted.mult_adds,
            }
            advance(done)
    return counts


@click.command("weights")
@click.option("--variant", type=click.Choice(["base", "ibn", "ain"]), help="Only this variant.")
@click.option("--width", type=float, help="Only this width multiplier.")
@click.option("--files", is_flag=True, help="Show the files' names on the Hub.")
@options.as_json
def weights(variant: str | None, width: float | None, files: bool, as_json: bool) -> None:
    """List the published checkpoints.

    Pass a tag as --weights, together with --width and --variant of the model.
    """
    from keras_osnet.weights import list_weights

    checkpoints = list_weights(variant, width)
    if as_json:
        print_json([asdict(checkpoint) for checkpoint in checkpoints])
        return
    print_table(
        ("model", "tag", "rank-1/mAP in %", "distance", *(("file",) if files else ())),
        [
            (
                f"{checkpoint.variant} {checkpoint.width}",
                checkpoint.tag,
                "\n".join(
                    f"{rank_1}/{mean_ap} {dataset}"
                    for dataset, (rank_1, mean_ap) in checkpoint.published.items()
                ),
                checkpoint.distance,
                *((checkpoint.file,) if files else ()),
            )
            for checkpoint in checkpoints
        ],
    )
    echo(f"\n{len(checkpoints)} checkpoints. model: values of --variant and --width.")


@click.command("info")
@options.model_options(
    text="A tag (see `keras-osnet weights`), a file, or hf://owner/repo[/file][@revision].",
    required=False,
)
@click.option("--model", "name", metavar="NAME", help="An architecture; see `keras-osnet models`.")
@options.as_json
def info(model: ModelSource, name: str | None, as_json: bool) -> None:
    """Show a model's size and layers, and a file's content.

    \b
    keras-osnet info --width 0.25
    keras-osnet info --model osnet_ain_x1_0
    keras-osnet info --weights osnet_x0_25_msmt17.pth
    keras-osnet info --weights market1501 --variant ain
    """
    checkpoint = described = None
    if name is not None:
        built = _named(name, model)
    else:
        if model.weights not in (None, options.RANDOM):
            checkpoint = model.open()
            described = checkpoint.describe()
        built = model.load("embedding", checkpoint=checkpoint, include_preprocessing=False)
    facts = _facts(built)
    if as_json:
        print_json({"checkpoint": described, "model": facts})
        return
    if described:
        _print_checkpoint(described)
    _print_model(facts)


def _named(name: str, source: ModelSource) -> "keras.Model":
    """Build an architecture by its name."""
    from keras_osnet.models import list_models

    if source.weights is not None or source.width is not None or source.variant is not None:
        raise click.UsageError(
            "--model names an architecture; it excludes --weights, --width and --variant."
        )
    named = list_models()
    if name not in named:
        raise click.UsageError(
            f"--model must be one of those that `keras-osnet models` lists. Received: {name}"
        )
    import_keras()
    from keras_osnet.models import OSNet

    arguments = {**named[name], "head": "embedding"}
    if source.image_size is not None:
        arguments["input_shape"] = (*source.image_size, 3)
    return OSNet(**arguments)


def _facts(model: "keras.Model") -> dict[str, Any]:
    from keras_osnet.evaluation import complexity

    counted = complexity(model)
    return {
        "name": model.name,
        "input_shape": model.input_shape[1:],
        "embedding_length": model.output_shape[-1],
        "parameters": counted.parameters,
        "trainable_parameters": counted.trainable_parameters,
        "mult_adds": counted.mult_adds,
        "layers": [
            {
                "name": layer.name,
                "kind": type(layer).__name__,
                "output_shape": _shape_of_one(layer.output),
                "parameters": sum(math.prod(each.shape) for each in layer.trainable_variables),
            }
            for layer in model.layers
        ],
    }


def _shape_of_one(tensors: Any) -> tuple[int | None, ...]:
    """Return a shape without the batch, of the feature map where a layer also returns gates."""
    tensor = tensors[0] if isinstance(tensors, (list, tuple)) else tensors
    return tuple(tensor.shape[1:])


def _print_checkpoint(checkpoint: dict[str, Any]) -> None:
    from keras_osnet.weights.state_dict import shown

    tensors, classes = checkpoint["tensors"], checkpoint["classes"]
    print_facts(
        [
            ("file", checkpoint["file"]),
            ("bytes", f"{checkpoint['size']:,}"),
            ("sha256", checkpoint["sha256"]),
            (
                "tensors",
                "in Keras's own format"
                if tensors is None
                else f"{sum(tensors.values())} ("
                + ", ".join(f"{count} {kind}" for kind, count in tensors.items())
                + ")",
            ),
            ("classes", "no classifier" if classes is None else f"{classes}"),
            *([("place", shown(checkpoint["place"]))] if checkpoint["place"] else []),
        ]
    )
    echo()


def _print_model(facts: dict[str, Any]) -> None:
    print_facts(
        [
            ("model", facts["name"]),
            ("input", _times(facts["input_shape"])),
            ("embedding", f"{facts['embedding_length']}"),
            (
                "parameters",
                f"{facts['parameters']:,} (as the paper counts them; actual trainable: "
                f"{facts['trainable_parameters']:,})",
            ),
            ("mult-adds", f"{facts['mult_adds']:,}"),
        ]
    )
    echo()
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
