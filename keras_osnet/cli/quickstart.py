"""`keras-osnet quickstart`: from nothing to a tested, exported network and a page about it."""

from pathlib import Path

import click

from keras_osnet.cli.console import import_keras, print_table


@click.command("quickstart")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("quickstart"),
    show_default=True,
    metavar="DIR",
    help="Folder for everything; of an interrupted run, it goes on.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="People of your own: a folder with a sub-folder for each, or of files named as "
    "Market-1501's, or a table. Default: drawn people.",
)
@click.option(
    "--weights",
    default="synthetic",
    show_default=True,
    metavar="TAG|FILE",
    help="What to start from. The default comes with the package; others are downloaded.",
)
@click.option("--width", type=float, default=0.25, show_default=True, help="Width multiplier.")
@click.option("--epochs", type=click.IntRange(min=1), default=6, show_default=True, metavar="N")
def command(output: Path, data: Path | None, weights: str, width: float, epochs: int) -> None:
    """Find people, learn, export: all of it, offline.

    In some minutes, on a CPU, without a network: people are drawn, searched for with the weights
    that come with the package, learned from, searched for again; the network is exported and
    tested; and a page shows all of it.
    """
    import_keras()
    from keras_osnet.quickstart import quickstart

    journey = quickstart(
        output, data=data, weights=weights, width=width, epochs=epochs, say=click.echo
    )
    click.echo()
    print_table(
        ("", "rank-1 %", "mAP %"),
        [
            (
                title,
                f"{100 * found.ranking.rank(1):.1f}",
                f"{100 * found.ranking.mean_average_precision:.1f}",
            )
            for title, found in (("before", journey.before), ("after", journey.after))
        ],
        numbers=("rank-1 %", "mAP %"),
    )
    click.echo(
        f"\n{journey.files[1]}: {journey.fidelity.size_bytes:,} bytes, cosine to the Keras model "
        f"{journey.fidelity.cosine_min:.4f} or more, {journey.fidelity.latency_ms:.2f} ms a picture"
        f"\nOpen {journey.report.absolute().as_uri()}"
    )
