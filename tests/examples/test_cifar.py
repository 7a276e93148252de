import miniature_datasets as miniature
import pytest
from PIL import Image


@pytest.mark.usefixtures("eager")
@pytest.mark.filterwarnings("ignore:There are fewer pictures than in a batch")
def test_learns_classes(run_example, tmp_path):
    miniature.cifar10(tmp_path / "data")
    arguments = ["--data", tmp_path / "data", "--part", "--pictures", 15, "--epochs", 1]
    output = run_example("cifar.py", *arguments, "--folder", tmp_path / "out")
    assert "15 pictures to learn from, 2 to test on" in output
    assert "of 2; 10% by guessing" in output
    assert "thing_" in output
    with Image.open(tmp_path / "out" / "cifar.png") as picture:
        assert picture.width > 200
