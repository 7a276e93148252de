"""Run other software, as released, on exported files.

Each package is installed in an environment of its own, by pip with its own settings (index, proxy,
constraints), in a temporary folder; `KERAS_OSNET_NEIGHBOURS` names a folder that keeps them between
runs. Nothing is installed into the environment that runs the tests.
"""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from environments import Environment, make_environment

collect_ignore = ["scripts"]
"""Run by the environments' Python, with packages that are not installed here."""

KEPT = "KERAS_OSNET_NEIGHBOURS"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder, so that none of them runs by default."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.neighbours)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of environments and of what else is downloaded."""
    named = os.environ.get(KEPT)
    folder = Path(named) if named else tmp_path_factory.getbasetemp().parent / "neighbours"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


@pytest.fixture(scope="session")
def environment(kept: Path) -> Callable[..., Environment]:
    """Return a function that makes an environment, or finds it, with packages from pip.

    Its arguments are requirements, of which each group is installed in one call of pip, in order:
    `environment([TORCH], ["ultralytics"])`.
    """

    return functools.partial(make_environment, kept)


@dataclass(frozen=True)
class Crops:
    """Images of people with the embeddings of `Embedder`.

    Attributes:
        folder: Holds `crops.npy`, uint8 (16, 256, 128, 3), RGB, and `large.npy`, (16, 512, 256, 3),
            the same people drawn larger, for the processes of the tests; `osnet.onnx`, as exported
            by default. Those of `small_crops` have half these sizes.
        vectors: Embeddings of the crops, (16, 512), each of length 1.
        large_vectors: Of the large ones.
    """

    folder: Path
    vectors: np.ndarray
    large_vectors: np.ndarray

    def lowest_cosine(self, vectors: Any, *, large: bool = False) -> float:
        """Return the lowest cosine between embeddings of the images and those of `Embedder`."""
        own = self.large_vectors if large else self.vectors
        others = np.asarray(vectors, np.float64)
        assert others.shape == own.shape
        others = others / np.linalg.norm(others, axis=1, keepdims=True)
        return float((others * own).sum(axis=1).min())


@pytest.fixture(scope="session")
def model():
    """Return a network with the bundled weights for images of 256×128, as trackers expect."""
    from keras_osnet import OSNet

    return OSNet(0.25, weights="synthetic", head="embedding", input_shape=(256, 128, 3))


@pytest.fixture(scope="session")
def crops(model, tmp_path_factory: pytest.TempPathFactory) -> Crops:
    """Return 16 synthetic people under 4 cameras."""
    return make_crops(model, tmp_path_factory.mktemp("crops"))


@pytest.fixture(scope="session")
def small_crops(tmp_path_factory: pytest.TempPathFactory) -> Crops:
    """Return the same people in the size of the bundled weights, 128×64, with their embeddings."""
    from keras_osnet import OSNet

    model = OSNet(0.25, weights="synthetic", head="embedding")
    return make_crops(model, tmp_path_factory.mktemp("small_crops"))


def make_crops(model: Any, folder: Path) -> Crops:
    from keras_osnet.deploy import export
    from keras_osnet.runtime import Embedder
    from keras_osnet.synthetic import synthetic_person

    export(model, folder / "osnet.onnx")
    embedder = Embedder(folder / "osnet.onnx")
    height, width = embedder.image_size
    vectors = []
    for name, scale in (("crops", 1), ("large", 2)):
        size = height * scale, width * scale
        images = [synthetic_person(20_000 + i, i % 4, 0, image_size=size) for i in range(16)]
        np.save(folder / f"{name}.npy", np.stack(images))
        vectors.append(embedder.embed(images))
    return Crops(folder, *vectors)


@pytest.fixture(scope="session")
def exported(model, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that exports the network for other software and returns the folder."""
    from keras_osnet.deploy import export

    @functools.cache
    def write(target: str, *files: str) -> Path:
        """Write the files of these names, by default the one that the target prescribes."""
        folder = tmp_path_factory.mktemp(target)
        for path in [folder / file for file in files] or [folder]:
            path.parent.mkdir(exist_ok=True)
            export(model, path, target=target)
        return folder

    return write
