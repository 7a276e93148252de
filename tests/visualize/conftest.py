import sys

import matplotlib as mpl
import numpy as np
import pytest

import keras_osnet


@pytest.fixture
def pictures():
    """Three different pictures, n first."""
    return np.random.default_rng(0).integers(0, 256, (3, 64, 32, 3), np.uint8)


@pytest.fixture(scope="session")
def embedder():
    return keras_osnet.OSNet(
        0.25, head="embedding", input_shape=(64, 32, 3), include_preprocessing=True
    )


@pytest.fixture(autouse=True)
def no_pyplot_state():
    """Nothing here may leave a figure with pyplot or change matplotlib's settings."""
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []
