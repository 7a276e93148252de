import miniature_datasets as miniature
import pytest
from PIL import Image

pytestmark = pytest.mark.large


@pytest.mark.usefixtures("eager")
@pytest.mark.filterwarnings("ignore:There are fewer images than in a batch")
def test_trains_a_classifier(run_example, tmp_path):
    miniature.cifar10(tmp_path / "data")
    arguments = ["--data", tmp_path / "data", "--part", "--images", 15, "--epochs", 1]
    output = run_example("cifar.py", *arguments, "--folder", tmp_path / "out")
    assert "15 training images, 2 test images" in output
    assert "of 2; chance is 10%" in output
    assert "thing_" in output
    with Image.open(tmp_path / "out" / "cifar.png") as image:
        assert image.width > 200
