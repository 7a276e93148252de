import pytest

pytestmark = pytest.mark.large


@pytest.mark.usefixtures("eager")
def test_a_small_run(run_example, tmp_path):
    arguments = ["--people", 4, "--others", 3, "--epochs", 1]
    output = run_example("first_run.py", "--folder", tmp_path / "run", *arguments)
    assert (tmp_path / "run" / "trained.keras").is_file()
    assert output.count("keras-osnet evaluate") == 3
    assert output.count("mAP") >= 2
