import threading
import time

import numpy as np
import pytest

from keras_osnet.runtime.engines.sharing import RunError, SharedRuns


def test_outputs_are_in_order_and_no_run_is_called_twice_at_once():
    busy = [threading.Lock(), threading.Lock()]

    def run(copy, images):
        assert busy[copy].acquire(blocking=False)
        try:
            return images + 1
        finally:
            busy[copy].release()

    runs = SharedRuns([lambda images: run(0, images), lambda images: run(1, images)])
    for waits in (False, True):
        results = runs.map(lambda step: np.array([step]), 50, waits=waits)
        assert np.concatenate(results).tolist() == list(range(1, 51))
    assert runs.map(lambda step: np.array([step]), 1)[0] == 1


def test_runs_are_at_the_same_time():
    both = threading.Barrier(2, timeout=30)

    def run(images):
        both.wait()
        return images

    assert len(SharedRuns([run, run]).map(lambda step: np.array([step]), 6)) == 6


def test_the_error_of_the_first_step_is_raised():
    loaded = []

    def load(step):
        loaded.append(step)
        if step in (5, 6):
            raise ValueError(f"step {step}")
        return np.array([step])

    runs = SharedRuns([lambda images: images] * 2)
    for waits in (False, True):
        loaded.clear()
        with pytest.raises(ValueError, match="step 5"):
            runs.map(load, 1000, waits=waits)
        assert len(loaded) < 20
    assert len(runs.map(lambda step: np.array([step]), 4)) == 4  # goes on working


def test_errors_of_the_model_are_told_from_those_of_loading():
    def fail(images):
        raise KeyError("inside")

    with pytest.raises(RunError) as error:
        SharedRuns([fail, fail]).map(lambda step: np.array([step]), 3)
    assert isinstance(error.value.__cause__, KeyError)


def test_an_interrupt_between_two_steps_stops_all_threads():
    loaded = []

    class Interrupted:
        def __enter__(self):
            lock.acquire()
            if threading.current_thread() is threading.main_thread() and loaded:
                lock.release()
                raise KeyboardInterrupt

        def __exit__(self, *_):
            lock.release()

    def load(step):
        loaded.append(step)
        time.sleep(0.001)
        return np.array([step])

    lock = threading.Lock()
    runs = SharedRuns([lambda images: images] * 2)
    runs._next = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        runs.map(load, 1000)
    assert len(loaded) < 100
