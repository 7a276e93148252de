"""Figures of networks and of their results, drawn with matplotlib.

Functions named `plot_…` draw arrays, images or a model; the others compute the numbers that are
drawn, and run on every backend except `grad_cam`, `score_cam` and `saliency_maps`, which need
TensorFlow. Drawing needs the extra `visualize`: `pip install "keras-osnet[visualize]"`.
"""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.visualize._sheet import save_figure
    from keras_osnet.visualize.attributes import plot_attributes
    from keras_osnet.visualize.diagrams import plot_block, plot_network
    from keras_osnet.visualize.embeddings import plot_embeddings
    from keras_osnet.visualize.feature_maps import activation_maps, feature_maps
    from keras_osnet.visualize.gates import (
        gate_clusters,
        gate_statistics,
        plot_gate_clusters,
        plot_gate_statistics,
    )
    from keras_osnet.visualize.grad_cam import grad_cam, saliency_maps, score_cam
    from keras_osnet.visualize.history import plot_history
    from keras_osnet.visualize.maps import plot_maps
    from keras_osnet.visualize.ranking import plot_cmc, plot_ranked_lists
    from keras_osnet.visualize.roc import plot_roc
    from keras_osnet.visualize.search_results import plot_search_results

__getattr__, __dir__, __all__ = lazy.attach(__name__)
