"""How good and how large a model is: retrieval metrics on numpy arrays, and complexity.

This room stands on numpy alone: it can be used where Keras is not installed.
"""

from keras_osnet.evaluation.complexity import Complexity, complexity
from keras_osnet.evaluation.distances import pairwise_distances
from keras_osnet.evaluation.ranking import RankingResult, evaluate_ranking

__all__ = [
    "Complexity",
    "RankingResult",
    "complexity",
    "evaluate_ranking",
    "pairwise_distances",
]
