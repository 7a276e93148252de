import sys

import matplotlib as mpl
import numpy as np
import pytest

import keras_osnet


@pytest.fixture
def images():
    """Return three different images, n first."""
    return np.random.default_rng(0).integers(0, 256, (3, 64, 32, 3), np.uint8)


@pytest.fixture(scope="session")
def embedder():
    return keras_osnet.OSNet(
        0.25, head="embedding", input_shape=(64, 32, 3), include_preprocessing=True
    )


@pytest.fixture(autouse=True)
def no_pyplot_state():
    """Check that no test leaves a figure in pyplot or changes matplotlib's settings."""
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []
