"""`keras-osnet quickstart`: fine-tune, test and export a model, with a report."""

from pathlib import Path

import click

from keras_osnet.cli import options, outputs
from keras_osnet.cli.console import echo, import_keras, print_table, warn
from keras_osnet.cli.interrupts import ends_at_once


@click.command("quickstart")
@outputs.output_folder(
    "Folder for everything; an interrupted run in it is continued.",
    default=Path("quickstart"),
    show_default=True,
)
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="People of your own: a folder with a sub-folder for each, or of files named as in "
    "Market-1501, or a table. Default: synthetic people.",
)
@click.option(
    "--weights",
    default="synthetic",
    show_default=True,
    metavar="TAG|FILE",
    help="Initial weights. The default comes with the package; others are downloaded.",
)
@click.option("--width", type=float, default=0.25, show_default=True, help="Width multiplier.")
@options.count("--epochs", "Epochs of fine-tuning.", 6)
def command(output: Path, data: Path | None, weights: str, width: float, epochs: int) -> None:
    """Test, fine-tune and export a model, offline.

    In about a minute, on a CPU, without a network connection: draws synthetic people, tests the
    weights that come with the package on them, fine-tunes and tests again, exports the model, and
    writes a report.
    """
    import_keras()
    from keras_osnet.data.datasets.splits import describe_division
    from keras_osnet.quickstart import quickstart

    with ends_at_once(lambda: "Interrupted. The same call goes on from there."):
        result = quickstart(
            output, data=data, weights=weights, width=width, epochs=epochs, log=echo
        )
    echo()
    found = [("before", result.before.ranking), ("after", result.after.ranking)]
    rows = [(title, each.rank(1), each.mean_average_precision) for title, each in found]
    rows += [
        (each.file, each.rank_1 or 0.0, each.mean_average_precision or 0.0)
        for each in result.fidelities
    ]
    print_table(
        ("", "rank-1 %", "mAP %"),
        [(name, f"{100 * rank_1:.1f}", f"{100 * mean:.1f}") for name, rank_1, mean in rows],
        numbers=("rank-1 %", "mAP %"),
    )
    people = result.dataset
    echo(f"\nProtocol: {describe_division(people.query, people.gallery)}.")
    if result.fidelity.advice:
        echo()
        warn(result.fidelity.advice)
    echo(
        f"\n{result.files[1]}: {result.fidelity.size_bytes:,} bytes, cosine to the Keras model "
        f"{result.fidelity.cosine_min:.4f} or more, {result.fidelity.latency_ms:.2f} ms per image"
        f"\nOpen {result.report.absolute().as_uri()}"
    )
