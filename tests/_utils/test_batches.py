import threading

import numpy as np
import pytest

from keras_osnet._utils.batches import loaded_ahead, padded


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_chunks_are_loaded_in_order_by_another_thread(count):
    threads = set()

    def load(chunk):
        threads.add(threading.current_thread())
        return chunk * 10

    assert list(loaded_ahead(load, range(count))) == [10 * chunk for chunk in range(count)]
    assert threading.current_thread() not in threads


def test_no_more_than_two_chunks_are_loaded_ahead():
    loaded = []
    chunks = loaded_ahead(loaded.append, range(9))
    next(chunks)
    chunks.close()
    assert loaded == [0, 1, 2][: len(loaded)]


def test_an_error_is_raised_where_its_chunk_is_used():
    chunks = loaded_ahead(lambda chunk: 1 // chunk, [1, 0, 1])
    assert next(chunks) == 1
    with pytest.raises(ZeroDivisionError):
        next(chunks)


def test_the_last_batch_is_padded():
    images = np.ones((3, 2, 2, 3), "uint8")
    assert padded(images, 3) is images
    longer = padded(images, 5)
    assert longer.dtype == images.dtype
    np.testing.assert_array_equal(longer[:3], images)
    assert longer.shape == (5, 2, 2, 3)
    assert not longer[3:].any()
