import re

import pytest
from PIL import Image

from keras_osnet.synthetic.appearance import ATTRIBUTE_NAMES

pytestmark = pytest.mark.large


def test_recognizes_attributes(run_example, tmp_path):
    output = run_example("attributes.py", "--people", 12, "--output", tmp_path / "panels.png")
    rows = re.findall(r"^(\S+) +[\d.]+% +(?:[\d.]+|nan)%$", output, re.MULTILINE)
    assert tuple(rows) == ATTRIBUTE_NAMES
    mean_accuracy, f1 = map(float, re.search(r"mA ([\d.]+)%, F1 ([\d.]+)%", output).groups())
    assert mean_accuracy > 65  # 50 by guessing
    assert f1 > 60
    with Image.open(tmp_path / "panels.png") as image:
        assert image.width > 600
