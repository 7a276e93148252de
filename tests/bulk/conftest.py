import json

import numpy as np
import pytest
from PIL import Image

from keras_osnet.runtime import Embedder
from keras_osnet.synthetic import write_synthetic_people

SIZE = (32, 16)


@pytest.fixture(scope="session")
def write_model():
    """Write an ONNX file of pixels to 8 numbers; seeds give different models."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("pyarrow")

    def write_model(path, seed=0):
        kernel = np.random.default_rng(seed).normal(size=(8, 3, 4, 4)).astype("float32")
        image = onnx.helper.make_tensor_value_info("image", 1, ["n", 3, *SIZE])
        vector = onnx.helper.make_tensor_value_info("vector", 1, ["n", 8, 1, 1])
        nodes = [
            onnx.helper.make_node("Conv", ["image", "kernel"], ["maps"], strides=[4, 4]),
            onnx.helper.make_node("GlobalAveragePool", ["maps"], ["vector"]),
        ]
        graph = onnx.helper.make_graph(
            nodes, "tiny", [image], [vector], [onnx.numpy_helper.from_array(kernel, "kernel")]
        )
        opset = [onnx.helper.make_opsetid("", 17)]
        onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
        return path

    return write_model


@pytest.fixture(scope="session")
def model_file(write_model, tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


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


def to_json(**entries):
    return json.dumps(entries).encode()
