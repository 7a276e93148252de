"""How good and how large a model is: retrieval and attribute metrics on arrays, and complexity.

This room stands on numpy alone: it can be used where Keras is not installed.
"""

from keras_osnet.evaluation.attributes import AttributeResult, evaluate_attributes
from keras_osnet.evaluation.averaging import AveragedRanking, average
from keras_osnet.evaluation.complexity import Complexity, complexity
from keras_osnet.evaluation.distances import pairwise_distances
from keras_osnet.evaluation.features import concatenate, flip_average, normalize
from keras_osnet.evaluation.ranked_lists import RankedList, ranked_lists
from keras_osnet.evaluation.ranking import RankingResult, evaluate_ranking
from keras_osnet.evaluation.reranking import k_reciprocal_rerank, rerank_features
from keras_osnet.evaluation.single_gallery_shot import evaluate_single_gallery_shot
from keras_osnet.evaluation.streaming import evaluate_features

__all__ = [
    "AttributeResult",
    "AveragedRanking",
    "Complexity",
    "RankedList",
    "RankingResult",
    "average",
    "complexity",
    "concatenate",
    "evaluate_attributes",
    "evaluate_features",
    "evaluate_ranking",
    "evaluate_single_gallery_shot",
    "flip_average",
    "k_reciprocal_rerank",
    "normalize",
    "pairwise_distances",
    "ranked_lists",
    "rerank_features",
]
