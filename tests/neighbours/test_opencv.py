"""OpenCV's DNN module runs exported `.onnx` files, with another number of images in each call."""

from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "scripts/embed_with_opencv.py"

SHAPES = [[count, 512] for count in (1, 5, 1, 9)]


@pytest.fixture(scope="module", params=["opencv-python-headless<5", "opencv-python-headless>=5"])
def opencv(request, environment):
    return environment([request.param])


def test_file_for_opencv(opencv, exported, crops):
    file = exported("opencv") / "osnet_x0_25.onnx"
    result = opencv.run(SCRIPT, file, crops.folder / "crops.npy", "blob")
    assert result["shapes"] == SHAPES
    cosine = crops.lowest_cosine(result["vectors"])
    print(f"OpenCV {opencv.version('opencv-python-headless')}: {cosine}")
    assert cosine > 0.9999


def test_file_as_exported_by_default(opencv, crops):
    result = opencv.run(SCRIPT, crops.folder / "osnet.onnx", crops.folder / "crops.npy")
    assert result["shapes"] == SHAPES
    cosine = crops.lowest_cosine(result["vectors"])
    print(f"OpenCV {opencv.version('opencv-python-headless')}: {cosine}")
    assert cosine > 0.9999
