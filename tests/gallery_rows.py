"""Made rows of galleries."""

from datetime import UTC, datetime, timedelta

import numpy as np

START = datetime(2026, 11, 27, 14, tzinfo=UTC)


def some_vectors(count, seed=0, dim=16):
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def some_columns(count):
    """Return columns of rows: five people under three cameras, one row a minute."""
    return {
        "key": [f"crop-{i}" for i in range(count)],
        "person": [f"person {i % 5}" for i in range(count)],
        "camera": [i % 3 for i in range(count)],
        "site": ["north" if i % 2 else "south" for i in range(count)],
        "time": [START + timedelta(minutes=i) for i in range(count)],
    }
