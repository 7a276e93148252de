"""`keras-osnet visualize explain`: which parts of pictures an answer hangs on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import waiting
from keras_osnet.cli.embedder import load_embedder
from keras_osnet.cli.keras_import import import_keras
from keras_osnet.cli.visualize import figure

_METHODS = {"grad-cam": "Grad-CAM", "score-cam": "Score-CAM", "saliency": "saliency"}


@click.command("explain")
@figure.pictures
@options.weights
@options.width
@options.variant
@click.option(
    "--reference",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Picture that the others are compared with: explains the likeness of their vectors. "
    "Without it, explains the classifier of the weights.",
)
@click.option(
    "--class",
    "class_index",
    type=click.IntRange(min=0),
    metavar="N",
    help="Class or attribute to explain. Default: each picture's likeliest.",
)
@click.option(
    "--method",
    "methods",
    type=click.Choice(list(_METHODS)),
    multiple=True,
    default=("grad-cam",),
    show_default=True,
    help="Give it several times to compare.",
)
@options.input_size
@figure.show(6)
@figure.output
def command(
    paths: Sequence[Path],
    weights: str,
    width: float | None,
    variant: str | None,
    reference: Path | None,
    class_index: int | None,
    methods: tuple[str, ...],
    size: tuple[int, int] | None,
    show: int,
    output: Path,
) -> None:
    """Draw what in pictures speaks for a class or a likeness.

    The likeness is that to --reference, by the vectors of the network; it is drawn first.

    Needs Keras on TensorFlow.

    \b
    keras-osnet visualize explain DIR --reference A.jpg --weights TAG -o why.png
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    if reference is not None and class_index is not None:
        raise click.UsageError("--reference and --class exclude each other.")
    files = figure.readable(paths, show)
    import_keras()
    from keras_osnet.architecture.feature_extractor import ends_in_classifier
    from keras_osnet.evaluation import embed_images
    from keras_osnet.models import open_checkpoint
    from keras_osnet.visualize import grad_cam, plot_maps, saliency_maps, score_cam

    goal: dict[str, Any] = {"classes": class_index}
    if reference is None:
        with waiting(f"Loading {weights} …"):
            checkpoint = open_checkpoint(weights, width=width, variant=variant)
            model, _ = checkpoint.build(image_size=size, include_preprocessing=True)
        if not ends_in_classifier(model):
            raise click.UsageError(
                "These weights have no classifier to explain: give --reference FILE, a picture "
                f"that the others are compared with. Received: --weights {weights}"
            )
    else:
        files = [*figure.readable([reference]), *files]
        model = load_embedder(weights, width=width, variant=variant, size=size)
        goal = {"references": embed_images(model, [reference]).vectors[0]}
    functions: dict[str, Any] = {
        "grad-cam": grad_cam,
        "score-cam": score_cam,
        "saliency": saliency_maps,
    }
    with waiting("Explaining …"):
        maps = {_METHODS[each]: functions[each](model, files, **goal) for each in methods}
    figure.write(plot_maps(files, maps), output)
