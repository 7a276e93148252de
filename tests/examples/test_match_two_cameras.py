import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "examples" / "match_two_cameras.py"

WITHOUT_FRAMEWORKS = f"""
import runpy, sys
sys.argv = ["match_two_cameras.py", *sys.argv[1:]]
runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
print([name for name in ("tensorflow", "keras", "torch", "jax") if name in sys.modules])
"""


def output_of(*arguments):
    command = [sys.executable, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_with_a_model_of_its_own_and_then_with_the_file(tmp_path):
    first = output_of(SCRIPT, "--folder", tmp_path / "first")
    assert "never trained" in first
    # How many is not for a network to say that was never trained: cameras look less alike.
    found, of = first.split(" people who are in both frames")[0].splitlines()[-1].split(" of ")
    assert of == "5"
    assert first.count("same person") == int(found)

    file = tmp_path / "first" / "osnet.tflite"
    second = output_of("-c", WITHOUT_FRAMEWORKS, "--model", file, "--folder", tmp_path / "second")
    assert second.endswith("[]\n")
    assert table(second) == table(first)

    pictures = [Image.open(tmp_path / name / "matches.png") for name in ("first", "second")]
    assert pictures[0].size == (1280, 360)
    np.testing.assert_array_equal(*pictures)


def table(output):
    return output.split("left ")[1].split("\nLook")[0]
