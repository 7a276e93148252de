import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "examples" / "first_run.py"


def test_a_small_run(tmp_path):
    command = [sys.executable, str(SCRIPT), "--folder", str(tmp_path / "run")]
    command += ["--people", "4", "--others", "3", "--epochs", "1"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "run" / "trained.keras").is_file()
    assert result.stdout.count("keras-osnet evaluate") == 3
    assert result.stdout.count("mAP") >= 2
