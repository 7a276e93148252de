"""Run models over images and measure them: retrieval, attributes, classification, complexity."""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.evaluation.attribute_recognition import evaluate_attribute_model
    from keras_osnet.evaluation.classification import evaluate_classification
    from keras_osnet.evaluation.complexity import complexity
    from keras_osnet.evaluation.embed import embed_images
    from keras_osnet.evaluation.retrieval import (
        evaluate_embeddings,
        evaluate_retrieval,
        evaluate_splits,
    )

__getattr__, __dir__, __all__ = lazy.attach(__name__)
