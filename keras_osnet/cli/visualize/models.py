"""`keras-osnet visualize` of models: their maps, gates, attributes and structure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from keras_osnet.cli import options
from keras_osnet.cli import visualize as figure
from keras_osnet.cli.attributes import (
    images_of,
    load_attribute_model,
    read_attributes,
    task_options,
)
from keras_osnet.cli.console import waiting
from keras_osnet.cli.options import ModelSource

_METHODS = {"grad-cam": "Grad-CAM", "score-cam": "Score-CAM", "saliency": "saliency"}


@click.command("activations")
@options.images
@options.model_options(text=figure.SEVERAL, several=True)
@click.option(
    "--layer",
    default="conv5",
    metavar="NAME",
    show_default=True,
    help="Feature maps: conv2, conv3, conv4, conv5, or of a block such as conv4_block1.",
)
@figure.show(6)
@figure.output
def activations(
    images: Sequence[Path], models: Sequence[ModelSource], layer: str, show: int, output: Path
) -> None:
    """Draw images with their activation maps.

    As in Fig. 6 of the paper, feature maps are summed over channels by absolute value and
    normalized over the image. Several --weights are drawn side by side.

    \b
    keras-osnet visualize activations DIR --weights market1501 -o maps.png
    """
    files = figure.readable(images, show)
    built = {source: source.load("embedding") for source in models}
    from keras_osnet.visualize import activation_maps, feature_maps, plot_maps

    maps = {
        title: activation_maps(feature_maps(built[source], files, [layer])[layer])
        for title, source in figure.titled(models)
    }
    figure.write(plot_maps(files, maps), output)


@click.command("explain")
@options.images
@options.model_options()
@click.option(
    "--reference",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Image to compare the others with: explains the similarity of their embeddings. Without "
    "it, explains the classifier of the weights.",
)
@click.option(
    "--class",
    "class_index",
    type=click.IntRange(min=0),
    metavar="N",
    help="Class or attribute to explain. Default: the most probable of each image.",
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
@figure.show(6)
@figure.output
def explain(
    images: Sequence[Path],
    model: ModelSource,
    reference: Path | None,
    class_index: int | None,
    methods: tuple[str, ...],
    show: int,
    output: Path,
) -> None:
    """Draw which parts of images support a class or a similarity.

    The similarity is that of embeddings to --reference, which is drawn first.

    Needs Keras on TensorFlow.

    \b
    keras-osnet visualize explain DIR --reference A.jpg --weights TAG -o why.png
    """
    if reference is not None and class_index is not None:
        raise click.UsageError("--reference and --class exclude each other.")
    files = figure.readable(images, show)
    if reference is not None:
        files = [*figure.readable([reference]), *files]
    built = model.load(None if reference is None else "embedding")
    from keras_osnet.architecture.model import ends_in_classifier
    from keras_osnet.evaluation import embed_images
    from keras_osnet.visualize import grad_cam, plot_maps, saliency_maps, score_cam

    goal: dict[str, Any] = {"classes": class_index}
    if reference is not None:
        goal = {"references": embed_images(built, [reference]).vectors[0]}
    elif not ends_in_classifier(built):
        raise click.UsageError(
            "These weights have no classifier to explain: give --reference FILE, an image that "
            f"the others are compared with. Received: --weights {model.weights}"
        )
    functions: dict[str, Any] = {
        "grad-cam": grad_cam,
        "score-cam": score_cam,
        "saliency": saliency_maps,
    }
    with waiting("Explaining …"):
        maps = {_METHODS[each]: functions[each](built, files, **goal) for each in methods}
    figure.write(plot_maps(files, maps), output)


@click.command("attributes")
@task_options
@figure.show(8)
@figure.output
def attributes(
    data: Path,
    dataset: str | None,
    no_check: bool,
    model: ModelSource,
    part: str,
    threshold: float,
    show: int,
    output: Path,
) -> None:
    """Draw images with their predicted attributes.

    Right, wrong and missed ones are marked (paper, Fig. 7). Images are given as for
    `keras-osnet attributes`.

    \b
    keras-osnet visualize attributes --data a.csv --weights own.keras -o a.png
    """
    content = read_attributes(data, dataset, check=not no_check)
    images = images_of(content, part)
    built = load_attribute_model(model)
    from keras_osnet.data.sampling import evenly_spaced
    from keras_osnet.visualize import feature_maps, plot_attributes

    chosen = evenly_spaced(len(images.paths), show)
    files = [images.paths[index] for index in chosen]
    scores = feature_maps(built, files, ["predictions"])["predictions"]
    drawn = plot_attributes(
        files, scores, content.attribute_names, images.attributes[chosen], threshold=threshold
    )
    figure.write(drawn, output)


_DRAWN = "Weights whose network to draw. Default: an untrained network."


@click.command("network")
@options.model_options(text=_DRAWN, required=False)
@figure.output
def network(model: ModelSource, output: Path) -> None:
    """Draw the stages of a network with their sizes.

    \b
    keras-osnet visualize network --width 0.25 -o network.svg
    """
    built = model.load(include_preprocessing=False)
    from keras_osnet.visualize import plot_network

    figure.write(plot_network(built), output)


@click.command("block")
@options.model_options(text=_DRAWN, required=False, sized=False)
@click.option(
    "--name", default="conv2_block1", metavar="NAME", show_default=True, help="Which block."
)
@figure.output
def block(model: ModelSource, name: str, output: Path) -> None:
    """Draw an omni-scale block, its streams and its gate.

    \b
    keras-osnet visualize block --variant ain -o block.svg
    """
    built = model.load(include_preprocessing=False)
    from keras_osnet.visualize import plot_block
    from keras_osnet.visualize.feature_maps import layer_of

    figure.write(plot_block(layer_of(built, name)), output)


@click.command("gates")
@options.images
@options.model_options()
@options.batch_size
@figure.output
def gates(images: Sequence[Path], model: ModelSource, batch_size: int, output: Path) -> None:
    """Draw the distribution of the gating values of every block.

    \b
    keras-osnet visualize gates DIR --weights msmt17_combineall -o gates.png
    """
    files = figure.readable(images)
    built = model.load("embedding")
    from keras_osnet.visualize import feature_maps, plot_gate_statistics
    from keras_osnet.visualize.feature_maps import gate_names

    found = feature_maps(built, files, gate_names(built), batch_size=batch_size)
    figure.write(plot_gate_statistics(found), output)


@click.command("clusters")
@options.images
@options.model_options()
@click.option("--block", metavar="NAME", help="Block of the gates. Default: the last.")
@options.count("--clusters", "Number of k-means clusters.", 8)
@options.count("--top", "How many images of each to draw.", 15)
@options.batch_size
@figure.output
def clusters(
    images: Sequence[Path],
    model: ModelSource,
    block: str | None,
    clusters: int,
    top: int,
    batch_size: int,
    output: Path,
) -> None:
    """Cluster images by a block's gating vectors.

    As in Fig. 5 of the paper, the images nearest to each center are drawn.

    \b
    keras-osnet visualize clusters DIR --weights msmt17_combineall -o clusters.png
    """
    files = figure.readable(images)
    built = model.load("embedding")
    from keras_osnet.visualize import feature_maps, gate_clusters, plot_gate_clusters
    from keras_osnet.visualize.feature_maps import gate_names

    name = f"{block}_gates" if block else gate_names(built)[-1]
    found = feature_maps(built, files, [name], batch_size=batch_size)[name]
    figure.write(plot_gate_clusters(files, gate_clusters(found, clusters), top=top), output)
