"""The pictures of the quickstart's page."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_osnet.data import PersonImage, ReidDataset, ranking_labels
from keras_osnet.metrics import ranked_lists
from keras_osnet.quickstart.search import Found
from keras_osnet.visualize import (
    activation_maps,
    feature_maps,
    gate_clusters,
    gate_names,
    plot_cmc,
    plot_embeddings,
    plot_gate_clusters,
    plot_gate_statistics,
    plot_maps,
    plot_ranked_lists,
    project_embeddings,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from keras_osnet.quickstart.journey import Journey

_QUERIES, _TOP = 5, 8
"""Ranked lists on the page, and how long they are."""

_LAST_GATES = "conv4_block2_gates"

_CLUSTERS, _CLUSTERED, _NEAREST = 4, 200, 10
"""Of the gates: how many clusters, of how many pictures at most, and pictures shown of each."""

_MAPPED_PEOPLE = 10


def figures(journey: "Journey") -> "dict[str, Figure]":
    """Draw all pictures of the page, by the name that its template has for them."""
    before, after, people = journey.before, journey.after, journey.dataset
    queries = telling_queries(journey)
    pictures = [people.query[index].path for index in queries]
    maps = {
        title: activation_maps(feature_maps(found.network, pictures, ["conv5"])["conv5"])
        for title, found in _titled(journey).items()
    }
    seen = [image.path for image in people.gallery[:_CLUSTERED]]
    gates = feature_maps(after.network, seen, gate_names(after.network))
    clusters = gate_clusters(gates[_LAST_GATES], min(_CLUSTERS, len(seen)))
    return {
        "cmc": plot_cmc({title: found.ranking for title, found in _titled(journey).items()}),
        "lists_before": _lists(before, people, queries),
        "lists_after": _lists(after, people, queries),
        "maps": plot_maps(pictures, maps),
        "gates": plot_gate_statistics(gates),
        "clusters": plot_gate_clusters(seen, clusters, top=_NEAREST),
        "neighbours": _neighbours(after, people.gallery),
    }


def telling_queries(journey: "Journey") -> list[int]:
    """Queries to show: first those that fine-tuning helped, then those that it failed, then others.

    An untrained eye sees nothing in a list that was right all along.
    """
    firsts = [_first_is_right(journey.dataset, found) for found in (journey.before, journey.after)]
    gained = np.flatnonzero(~firsts[0] & firsts[1])
    lost = np.flatnonzero(~firsts[1])
    kept = np.flatnonzero(firsts[0] & firsts[1])
    chosen = [*gained[: _QUERIES - 2], *lost[:1], *kept, *gained[_QUERIES - 2 :], *lost[1:]]
    return [int(index) for index in chosen[:_QUERIES]]


def _first_is_right(people: ReidDataset, found: Found) -> np.ndarray:
    lists = ranked_lists(found.distances, *ranking_labels(people.query, people.gallery), top_k=1)
    return np.array([each.matches[0] for each in lists])


def _titled(journey: "Journey") -> Mapping[str, Found]:
    return {"before": journey.before, "after fine-tuning": journey.after}


def _lists(found: Found, people: ReidDataset, queries: Sequence[int]) -> "Figure":
    return plot_ranked_lists(
        people.query,
        people.gallery,
        found.distances,
        *ranking_labels(people.query, people.gallery),
        queries=queries,
        top=_TOP,
    )


def _neighbours(found: Found, gallery: Sequence[PersonImage]) -> "Figure":
    shown = sorted({image.identity for image in gallery})[:_MAPPED_PEOPLE]
    rows = [index for index, image in enumerate(gallery) if image.identity in shown]
    points = project_embeddings(found.gallery_vectors[rows])
    return plot_embeddings(points, [gallery[row].identity for row in rows])
