import re

import pytest
from PIL import Image

pytestmark = pytest.mark.large


def test_finds_people_of_one_camera_under_another(run_example, tmp_path):
    output = run_example("first_embedding.py", "--people", 6, "--output", tmp_path / "lists.png")
    assert "24 images, embeddings (24, 512)" in output
    rows = re.findall(r"^(\d+) +(\d+) +0\.\d+(  wrong)?$", output, re.MULTILINE)
    assert len(rows) == 6
    assert all((person == nearest) == (not wrong) for person, nearest, wrong in rows)
    assert sum(person == nearest for person, nearest, _ in rows) >= 5
    with Image.open(tmp_path / "lists.png") as image:
        assert image.width > 600
