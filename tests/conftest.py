import os
from pathlib import Path

import pytest

# Trainings would fill the cache folder of whoever runs the tests.
os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "false")

DATA = Path(__file__).parent / "assets"

HEAVY = ("bulk", "deploy", "evaluation", "training", "visualize")
"""Packages whose docstrings' examples build, train or export networks."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark docstring examples, which cannot be decorated, by their package; order the tests."""
    for item in items:
        if isinstance(item, pytest.DoctestItem) and item.nodeid.split("/")[1] in HEAVY:
            item.add_marker(pytest.mark.large)
    # The longest first: at the end, one worker would wait for it.
    items.sort(key=lambda item: item.path.name != "test_backends.py")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Return the folder of small reference files that are part of the repository."""
    return DATA


@pytest.fixture(scope="session")
def reference() -> Path:
    """Return the folder of real weights and images, which is not part of the repository."""
    folder = Path(os.environ.get("KERAS_OSNET_REFERENCE", Path(__file__).parents[2] / "shared"))
    if not (folder / "weights").is_dir():
        pytest.skip(f"real weights and images are not at {folder} (set KERAS_OSNET_REFERENCE)")
    return folder
