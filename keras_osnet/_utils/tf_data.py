"""tf.data without the tuner that it waits for."""

from typing import Any


def untuned(dataset: Any) -> Any:
    """Return a `tf.data.Dataset` whose iterators end at once.

    While a dataset is read, TensorFlow (2.21, and before) chooses its degrees of parallelism anew
    after 10, 30, 70, … ms, at intervals that double up to a minute. The end of an iterator is to
    wake the thread that does so, but tells it before it can see that it is to end; so in about
    half of all cases the end waits for the interval to pass, and `fit`, `evaluate` or `predict`
    take up to twice the time. Our datasets have no parallelism to choose.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
