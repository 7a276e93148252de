"""The quickstart's report: one page in one file, with its figures."""

import base64
import io
import itertools
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_osnet import __version__
from keras_osnet._utils.checks import path_of
from keras_osnet._utils.html_page import HtmlPage
from keras_osnet.data import PersonImage
from keras_osnet.data.datasets.splits import describe_division
from keras_osnet.data.records import camera_labels, person_names, ranking_labels
from keras_osnet.metrics import pairwise_distances, ranked_lists
from keras_osnet.visualize import (
    activation_maps,
    feature_maps,
    gate_clusters,
    plot_cmc,
    plot_embeddings,
    plot_gate_clusters,
    plot_gate_statistics,
    plot_maps,
    plot_ranked_lists,
)
from keras_osnet.visualize.embeddings import project_embeddings
from keras_osnet.visualize.feature_maps import gate_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from keras_osnet.data.records import EmbeddedImages
    from keras_osnet.quickstart.quickstart import QuickstartResult

_TEMPLATE = Path(__file__).with_name("report.html")
_DPI = 130

_WITH_PHOTOS = {"lists_before", "lists_after", "maps", "clusters"}
_FIGURE_BYTES = 300_000
"""Of each of seven figures; base64 makes four bytes of three. The page has less than 3 MB."""

_ELSEWHERE = {"rank-1", "mAP", "latency", "ready"}

_QUERIES, _TOP = 5, 8
"""Number of ranked lists, and their length."""

_CLUSTERS, _CLUSTERED, _NEAREST = 4, 200, 10
"""Of the gates: number of clusters, of images at most, and of images drawn of each cluster."""

_PROJECTED_PEOPLE = 10


def write_report(result: "QuickstartResult", path: str | os.PathLike[str]) -> None:
    """Write the report: an HTML page with embedded images, which opens offline.

    Args:
        result: The result of the quickstart.
        path: The file; it is replaced atomically.

    Raises:
        FileNotFoundError: The folder does not exist.
        ImportError: Jinja2 or matplotlib is not installed.
    """
    page = HtmlPage(_TEMPLATE, purpose="The quickstart", extra="quickstart")
    page.write(
        path_of("path", path),
        result=result,
        dim=result.embeddings[1].vectors.shape[1],
        counts=result.dataset.counts,
        division=describe_division(result.dataset.query, result.dataset.gallery),
        with_cameras=camera_labels(result.dataset.all_images) is not None,
        images={
            name: _data_url(figure, with_photos=name in _WITH_PHOTOS)
            for name, figure in _figures(result).items()
        },
        exported=list(zip(result.fidelities, result.speeds, strict=True)),
        # Accuracy and speed have tables of their own, with the network and the other file.
        fidelity=[row for row in result.fidelity.table() if row[0] not in _ELSEWHERE],
        commands=next_commands(result),
        version=__version__,
    )


def next_commands(result: "QuickstartResult") -> list[str]:
    """Return the commands that go on from here, with the files and weights of this call."""
    model, weights = shlex.quote(str(result.model)), shlex.quote(result.weights)
    embed = f"keras-osnet embed crops --weights {shlex.quote(str(result.ready_file))} -o crops.npz"
    real = "--weights msmt17_combineall"
    if result.data is None:
        return [f"keras-osnet quickstart --data my_people {real} --output mine", embed]
    data = f"--data {shlex.quote(str(result.data))}"
    if result.weights == "synthetic":
        train = f"keras-osnet quickstart {data} {real} --output {_beside(result.folder)}"
    else:
        width = "" if result.width is None else f" --width {result.width:g}"
        output = _beside(result.folder, "training")
        train = f"keras-osnet train few_people {data} --weights {weights}{width} --output {output}"
    return [train, f"keras-osnet evaluate --data other_people --weights {model}", embed]


def _beside(folder: Path, name: str = "msmt17") -> str:
    return shlex.quote(str(folder.with_name(f"{folder.name}-{name}")))


def _data_url(figure: "Figure", *, with_photos: bool) -> str:
    """Return a figure as the URL of an embedded image: JPEG for photos, else PNG.

    It is made smaller, first by quality, then by resolution, until it takes no more than its part
    of the page.
    """
    kind, qualities = ("jpeg", (85, 70, 55)) if with_photos else ("png", (None,))
    for dpi, quality in itertools.product((_DPI, 100, 75, 55, 40), qualities):
        content = io.BytesIO()
        settings = None if quality is None else {"quality": quality}
        figure.savefig(content, format=kind, dpi=dpi, pil_kwargs=settings)
        if content.tell() <= _FIGURE_BYTES:
            break
    return f"data:image/{kind};base64," + base64.b64encode(content.getvalue()).decode("ascii")


def _figures(result: "QuickstartResult") -> "dict[str, Figure]":
    """Draw all figures of the report, by their names in its template."""
    people, (untrained, trained) = result.dataset, result.models
    labels = ranking_labels(people.query, people.gallery)
    distances = [
        pairwise_distances(each.vectors_of(people.query), each.vectors_of(people.gallery))
        for each in result.embeddings
    ]
    queries = telling_queries(
        *([each.matches[0] for each in ranked_lists(d, *labels, top_k=1)] for d in distances)
    )
    lists = [
        plot_ranked_lists(people.query, people.gallery, d, *labels, queries=queries, top=_TOP)
        for d in distances
    ]
    images = [people.query[index].path for index in queries]
    maps = {
        title: activation_maps(feature_maps(model, images, ["conv5"])["conv5"])
        for title, model in (("before", untrained), ("after fine-tuning", trained))
    }
    clustered = [image.path for image in people.gallery[:_CLUSTERED]]
    gates = feature_maps(trained, clustered, gate_names(trained))
    block, count = informative_gates(gates, _CLUSTERS)
    clusters = gate_clusters(gates[block], count)
    curves = {"before": result.before.ranking, "after fine-tuning": result.after.ranking}
    return {
        "cmc": plot_cmc(curves),
        "lists_before": lists[0],
        "lists_after": lists[1],
        "maps": plot_maps(images, maps),
        "gates": plot_gate_statistics(gates),
        "clusters": plot_gate_clusters(clustered, clusters, top=_NEAREST),
        "embeddings": _plot_embeddings(result.embeddings[1], people.gallery),
    }


def informative_gates(gates: "Mapping[str, NDArray]", clusters: int) -> tuple[str, int]:
    """Choose the block whose gates the images are clustered by.

    The gates of a narrow network have one or two hidden units. If these are inactive, the gates of
    a block are the same for all images.

    Args:
        gates: Gating vectors (images, streams, channels) by block, the last block last.
        clusters: Number of clusters that is wanted.

    Returns:
        The last block whose gates tell as many images apart, else the one that tells most apart;
        and the number of clusters.
    """
    different = {
        name: len(np.unique(values.reshape(len(values), -1).round(4), axis=0))
        for name, values in gates.items()
    }
    block = max(reversed(different), key=lambda name: min(different[name], clusters))
    return block, min(different[block], clusters)


def telling_queries(before: "Sequence[bool]", after: "Sequence[bool]") -> list[int]:
    """Choose queries to show: first those that fine-tuning improved, then failures, then others.

    A list that was correct before fine-tuning is not informative.

    Args:
        before: For each query, whether its nearest gallery image was right before fine-tuning.
        after: The same after fine-tuning.
    """
    was, is_right = np.asarray(before, bool), np.asarray(after, bool)
    gained, lost = np.flatnonzero(~was & is_right), np.flatnonzero(~is_right)
    kept = np.flatnonzero(was & is_right)
    chosen = [*gained[: _QUERIES - 2], *lost[:1], *kept, *gained[_QUERIES - 2 :], *lost[1:]]
    return [int(index) for index in chosen[:_QUERIES]]


def _plot_embeddings(embedded: "EmbeddedImages", gallery: "Sequence[PersonImage]") -> "Figure":
    shown = sorted({image.identity for image in gallery})[:_PROJECTED_PEOPLE]
    images = [image for image in gallery if image.identity in shown]
    points = project_embeddings(embedded.vectors_of(images))
    return plot_embeddings(points, person_names(images))
