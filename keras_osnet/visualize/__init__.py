"""Figures that look inside a network and at what it finds; each returns a matplotlib figure.

Functions named `plot_…` draw arrays, pictures or a model; the others compute the numbers that are
drawn, and run on every backend but for `grad_cam`, `score_cam` and `saliency_maps`, which need
TensorFlow. Drawing needs the extra `visualize`: `pip install "keras-osnet[visualize]"`.
"""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.visualize.activation import activation_maps
    from keras_osnet.visualize.attribute_panels import plot_attributes
    from keras_osnet.visualize.block_diagram import plot_block
    from keras_osnet.visualize.clusters import (
        GateClusters,
        gate_clusters,
        plot_gate_clusters,
    )
    from keras_osnet.visualize.cmc_curves import plot_cmc
    from keras_osnet.visualize.embeddings import embedding_map, plot_embeddings
    from keras_osnet.visualize.feature_maps import gate_names, intermediates
    from keras_osnet.visualize.grad_cam import grad_cam, saliency_maps, score_cam
    from keras_osnet.visualize.history import plot_training
    from keras_osnet.visualize.maps_figure import plot_maps
    from keras_osnet.visualize.network_diagram import plot_network
    from keras_osnet.visualize.ranked_lists import plot_ranked_lists
    from keras_osnet.visualize.saving import save_figure
    from keras_osnet.visualize.statistics import (
        GateStatistics,
        gate_statistics,
        plot_gate_statistics,
    )

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "GateClusters": "keras_osnet.visualize.clusters",
        "GateStatistics": "keras_osnet.visualize.statistics",
        "activation_maps": "keras_osnet.visualize.activation",
        "embedding_map": "keras_osnet.visualize.embeddings",
        "gate_clusters": "keras_osnet.visualize.clusters",
        "gate_names": "keras_osnet.visualize.feature_maps",
        "gate_statistics": "keras_osnet.visualize.statistics",
        "grad_cam": "keras_osnet.visualize.grad_cam",
        "intermediates": "keras_osnet.visualize.feature_maps",
        "plot_attributes": "keras_osnet.visualize.attribute_panels",
        "plot_block": "keras_osnet.visualize.block_diagram",
        "plot_cmc": "keras_osnet.visualize.cmc_curves",
        "plot_embeddings": "keras_osnet.visualize.embeddings",
        "plot_gate_clusters": "keras_osnet.visualize.clusters",
        "plot_gate_statistics": "keras_osnet.visualize.statistics",
        "plot_maps": "keras_osnet.visualize.maps_figure",
        "plot_network": "keras_osnet.visualize.network_diagram",
        "plot_ranked_lists": "keras_osnet.visualize.ranked_lists",
        "plot_training": "keras_osnet.visualize.history",
        "saliency_maps": "keras_osnet.visualize.grad_cam",
        "save_figure": "keras_osnet.visualize.saving",
        "score_cam": "keras_osnet.visualize.grad_cam",
    },
)
