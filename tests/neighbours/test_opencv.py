from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "scripts/embed_with_opencv.py"


@pytest.mark.parametrize("requirement", ["opencv-python-headless>=5"])
def test_takes_the_onnx_file_as_it_is(requirement, environment, crops):
    opencv = environment([requirement])
    result = opencv.run(SCRIPT, crops.folder / "osnet.onnx", crops.folder / "crops.npy")
    assert crops.lowest_cosine(result["vectors"]) > 0.999
