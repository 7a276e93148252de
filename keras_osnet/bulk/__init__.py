"""Embed millions of crops into a Parquet data set: bounded memory, resumable, in shards.

Neither Keras nor TensorFlow is needed; pyarrow is, by the extra `keras-osnet[parquet]`.
"""

from typing import TYPE_CHECKING

from keras_osnet._utils import lazy

if TYPE_CHECKING:
    from keras_osnet.bulk.embed_to_parquet import BulkResult, embed_to_parquet
    from keras_osnet.bulk.vector_dataset import VectorDataset

__getattr__, __dir__, __all__ = lazy.attach(__name__)
