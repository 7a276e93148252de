"""Files that torch writes of torchreid's network, opened by the Embedder."""

from pathlib import Path

import numpy as np
import pytest
from environments import TORCH

from keras_osnet.runtime import Embedder
from keras_osnet.weights import to_torchreid, write_torch_checkpoint

SCRIPT = Path(__file__).parent / "scripts/export_with_torchreid.py"


@pytest.fixture(scope="module")
def exported(environment, model, tmp_path_factory):
    """Return the folder of the files, with the weights of `model`."""
    folder = tmp_path_factory.mktemp("torchreid")
    write_torch_checkpoint(folder / "osnet.pth", to_torchreid(model))
    torchreid = environment([TORCH], ["onnx", "onnxscript"], ["torchreid==0.2.5", "--no-deps"])
    torchreid.run(SCRIPT, folder / "osnet.pth", folder)
    return folder


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    ("name", "batch", "least"),
    [
        ("free", None, 0.999999),
        ("one", 1, 0.999999),
        ("dynamo", None, 0.999999),
        ("half", 1, 0.999),
    ],
)
def test_opens_the_onnx_files(exported, crops, name, batch, least, engine):
    """`dynamo.onnx` keeps its weights in another file; `half.onnx` takes and gives float16."""
    file = exported / f"{name}.onnx"
    embedder = Embedder(file, engine, pixel_range="normalized", verify=False)
    metadata = embedder.metadata
    assert (metadata.layout, metadata.batch, embedder.dim) == ("NCHW", batch, 512)
    assert embedder.image_size == (256, 128)
    images = np.load(crops.folder / "crops.npy")
    assert crops.lowest_cosine(embedder.embed(images)) > least
