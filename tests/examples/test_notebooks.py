import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = [pytest.param(path, id=path.name) for path in sorted(EXAMPLES.glob("*.ipynb"))]

SMALL = {
    "fine_tune_with_fit.ipynb": "SIZE, PEOPLE, BATCH, EPOCHS, SHORT = (64, 32), 8, 8, 1, 1",
    "look_inside.ipynb": "PEOPLE, GROUPS = 8, 3",
}
"""Code that makes a notebook small, run after its cell with the tag `parameters`."""

EAGER = """
import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    tf.config.run_functions_eagerly(True)
"""
"""For so few steps, building a TensorFlow graph takes longer than eager execution."""

ABSOLUTE = re.compile(r"""(?:^|[\s"'(=:])(/[A-Za-z][\w.-]*/|~/|[A-Za-z]:\\|file:)""", re.MULTILINE)


@pytest.mark.extra_large
@pytest.mark.parametrize("path", NOTEBOOKS)
def test_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    run_small(path, tmp_path, monkeypatch, EAGER)


@pytest.mark.exhaustive
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
@pytest.mark.parametrize("path", [EXAMPLES / "fine_tune_with_fit.ipynb"])  # Grad-CAM: TensorFlow
def test_runs_on_every_backend(path, backend, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    run_small(path, tmp_path, monkeypatch)


def run_small(path, folder, monkeypatch, first=""):
    """Run a notebook with small parameters in a folder and check its outputs."""
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    notebook = nbformat.read(path, as_version=4)
    for cell in _code(notebook):
        cell.outputs, cell.execution_count = [], None
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    (place,) = [number for number, tag in enumerate(tags) if "parameters" in tag]
    notebook.cells.insert(place + 1, new_code_cell(SMALL[path.name] + first, id="small"))
    work = folder / "work"
    work.mkdir()

    # Raises if a cell raises.
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(work)}}
    ).execute()

    outputs = [output for cell in _code(notebook) for output in cell.outputs]
    assert all(cell.execution_count for cell in _code(notebook))
    assert {"stream", "display_data"} <= {output.output_type for output in outputs}
    if path.name == "fine_tune_with_fit.ipynb":
        assert (work / "fine_tune" / "embedder.keras").is_file()
        assert '"tested": true' in (work / "fine_tune" / "run" / "training.json").read_text()
        assert set(_figures(notebook)) == {"before", "after"}


def test_stored_figures_are_better_after_training():
    notebook = nbformat.read(EXAMPLES / "fine_tune_with_fit.ipynb", as_version=4)
    figures = _figures(notebook)
    for before, after in zip(figures["before"], figures["after"], strict=True):
        assert after > before + 20


def test_stored_maps_attend_to_the_detail():
    notebook = nbformat.read(EXAMPLES / "look_inside.ipynb", as_version=4)
    text = "\n".join(output.get("text", "") for cell in _code(notebook) for output in cell.outputs)
    shares = dict(re.findall(r"^(chance|Grad-CAM) +(\d+)%$", text, re.MULTILINE))
    assert int(shares["Grad-CAM"]) > 2 * int(shares["chance"])


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_stored_outputs(path):
    """They come from a complete run, are small, and do not reveal the machine it ran on."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < 400_000
    counts = [cell.execution_count for cell in _code(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    texts = [cell.source for cell in notebook.cells]
    for output in (output for cell in _code(notebook) for output in cell.outputs):
        assert output.output_type != "error"
        assert output.get("name") != "stderr"
        texts += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
    assert [found for text in texts for found in ABSOLUTE.findall(text)] == []
    assert str(Path.home()) not in "\n".join(texts)


def test_absolute_paths_are_found():
    for text in ("in /home/somebody/x", "PosixPath('/work/x/y')", r"C:\Users", "~/pictures"):
        assert ABSOLUTE.search(text), text
    for text in ("my_people/anna/cam1_0001.jpg", "15/15 - 9s", "https://keras.io/api/", "and/or"):
        assert not ABSOLUTE.search(text), text


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _figures(notebook):
    """(rank-1, mAP) in percent by row of the table that is printed after the training."""
    text = "\n".join(output.get("text", "") for cell in _code(notebook) for output in cell.outputs)
    rows = re.findall(r"^(before|after) +([\d.]+)% +([\d.]+)%$", text, re.MULTILINE)
    return {name: (float(rank_1), float(mean)) for name, rank_1, mean in rows}
