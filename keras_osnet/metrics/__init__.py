"""Metrics of re-identification and attribute recognition on arrays.

This package needs only numpy, so it can be used where Keras is not installed.
"""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.metrics.attributes import evaluate_attributes
    from keras_osnet.metrics.camera_means import camera_means, remove_camera_means
    from keras_osnet.metrics.choose_threshold import choose_threshold
    from keras_osnet.metrics.distances import pairwise_distances
    from keras_osnet.metrics.evaluate_features import evaluate_features
    from keras_osnet.metrics.features import concatenate_features, flip_average, normalize
    from keras_osnet.metrics.query_expansion import augment_gallery, expand_queries
    from keras_osnet.metrics.ranked_lists import ranked_lists
    from keras_osnet.metrics.ranking import average_results, evaluate_ranking
    from keras_osnet.metrics.reranking import k_reciprocal_rerank, rerank_features
    from keras_osnet.metrics.single_gallery_shot import evaluate_single_gallery_shot
    from keras_osnet.metrics.verification import evaluate_verification

__getattr__, __dir__, __all__ = lazy.attach(__name__)
