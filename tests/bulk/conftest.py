import numpy as np
import pytest
from PIL import Image
from tiny_onnx import write_tiny_onnx

from keras_osnet.runtime import Embedder
from keras_osnet.synthetic import write_synthetic_people


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    pytest.importorskip("pyarrow")
    return write_tiny_onnx(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="session")
def embedder(model_file):
    return Embedder(model_file, pixel_range="0-1", verify=False)


@pytest.fixture(scope="session")
def crops(tmp_path_factory):
    """Write a folder of 100 images, of different sizes, in two folders."""
    folder = tmp_path_factory.mktemp("bulk") / "crops"
    write_synthetic_people(folder, 5, cameras=2, views=2, image_size=(40, 20))
    people = sorted(folder.iterdir())
    (folder / "more").mkdir()
    for index in range(80):
        image = np.asarray(Image.open(people[index % 20])).copy()
        image[index % 40] = index
        Image.fromarray(image).save(folder / "more" / f"{index:03}.png")
    return folder


@pytest.fixture
def by_key(embedder):
    """Return the vectors of a data set by key, float32."""
    from keras_osnet.bulk import VectorDataset

    def by_key(folder):
        vectors = {}
        for batch in VectorDataset(folder).batches(["key", "vector"]):
            for row in batch.to_pylist():
                assert row["key"] not in vectors
                vectors[row["key"]] = np.array(row["vector"], "float32")
        return vectors

    return by_key


@pytest.fixture
def reasons():
    """Return the unreadable inputs of a data set, by key."""
    from keras_osnet.bulk import VectorDataset

    def reasons(folder):
        batches = VectorDataset(folder).unreadable()
        return {row["key"]: row["reason"] for batch in batches for row in batch.to_pylist()}

    return reasons
