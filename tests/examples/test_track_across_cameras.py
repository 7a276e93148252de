import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.large

SCRIPT = Path(__file__).parents[2] / "examples" / "track_across_cameras.py"

WITHOUT_FRAMEWORKS = f"""
import runpy, sys

runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
print([name for name in ("tensorflow", "keras", "torch", "jax") if name in sys.modules])
"""


def test_people_keep_their_numbers_and_no_framework_is_needed(exported, tmp_path):
    command = [sys.executable, "-c", WITHOUT_FRAMEWORKS, "--model", exported, "--people", "3"]
    result = subprocess.run(
        [*map(str, command), "--folder", str(tmp_path)], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.endswith("[]\n")
    counts = re.findall(r"camera \d: (\d+) of (\d+) boxes", result.stdout)
    assert len(counts) == 2
    for right, boxes in counts:
        assert int(boxes) > 40
        assert int(right) >= 0.9 * int(boxes)
    with Image.open(tmp_path / "video.gif") as video:
        assert video.n_frames > 40
        assert video.size == (640, 320)
    with Image.open(tmp_path / "strip.png") as strip:
        assert np.asarray(strip).std() > 10
