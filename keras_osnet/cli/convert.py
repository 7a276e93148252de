"""`keras-osnet convert`: convert weights from one file format to another."""

from pathlib import Path

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import import_keras, waiting


@click.command("convert")
@click.argument("source")
@click.argument("destination", type=click.Path(dir_okay=False, path_type=Path))
@options.width
@options.variant
@click.option(
    "--head",
    type=click.Choice(["embedding", "classification"]),
    help="embedding leaves a classifier out. Default: classification if the source has one.",
)
@click.option(
    "--include-preprocessing",
    is_flag=True,
    help="Make a .keras model take RGB 0–255.",
)
@click.option("--force", is_flag=True, help="Replace DESTINATION if it exists.")
def command(
    source: str,
    destination: Path,
    width: float | None,
    variant: str | None,
    head: str | None,
    include_preprocessing: bool,
    force: bool,
) -> None:
    """Convert weights between torch, safetensors and Keras.

    SOURCE is a file (.pth, .pth.tar, .pyth, .pt, .safetensors, .keras, .weights.h5), a tag, or
    hf://owner/repo[/file][@revision]. DESTINATION is a file with one of the same suffixes, which
    selects the format.

    \b
    keras-osnet convert osnet_x0_25_msmt17.pth osnet_x0_25.keras --head embedding
    keras-osnet convert msmt17 osnet_ain.safetensors --variant ain
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    # Checked before Keras starts; the library checks again, but its message does not name --force.
    if destination.exists() and not force:
        raise click.ClickException(
            f"{destination} exists; give --force to replace it. Received: {destination}"
        )
    import_keras()
    from keras_osnet.models import convert_file

    with waiting(f"Converting {source} …"):
        converted = convert_file(
            source,
            destination,
            width=width,
            variant=variant,
            head=head,
            include_preprocessing=include_preprocessing,
            overwrite=force,
        )
    holds = "embedding" if converted.classes is None else f"classifier of {converted.classes}"
    click.echo(f"Wrote {converted.path}: {converted.architecture}, {holds}")
    if converted.report is not None:
        click.echo("\n".join(f"  {line}" for line in str(converted.report).splitlines()))
