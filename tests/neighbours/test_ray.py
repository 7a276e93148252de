"""Bulk embedding with Ray Data: the rows of one process; every crop once after a kill or Ctrl-C."""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_onnx import write_tiny_onnx

import keras_osnet
from keras_osnet.bulk import VectorDataset, embed_to_parquet
from keras_osnet.runtime import Embedder
from keras_osnet.synthetic import write_synthetic_people

PACKAGE = Path(keras_osnet.__file__).parents[1]
SCRIPT = Path(__file__).parent / "scripts" / "embed_with_ray.py"
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
CROPS = 6000

COMMAND = (
    "import signal, sys\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in background jobs
    f"sys.path.insert(0, {str(PACKAGE)!r})\n"
    "from keras_osnet.cli import main; main()"
)


@pytest.fixture
def with_ray(environment):
    return environment(["ray[data]>=2.60", "onnxruntime", "pillow", "filelock", "click", "rich"])


@pytest.fixture
def listing(tmp_path):
    write_synthetic_people(tmp_path / "crops", 10, cameras=2, views=2, image_size=(40, 20))
    files = sorted((tmp_path / "crops").glob("*.png"))
    lines = [
        f"{index},{files[index % 40] if index % 100 else 'gone.png'},{index % 7}"
        for index in range(CROPS)
    ]
    file = tmp_path / "list.csv"
    file.write_text("\n".join(["key,path,camera", *lines]))
    return file


def rows(folder):
    """Return the rows by key, each of which must be there once, and the keys without a vector."""
    dataset = VectorDataset(folder)
    there = {}
    for batch in dataset.batches():
        for row in batch.to_pylist():
            assert row["key"] not in there
            there[row["key"]] = row
    unreadable = [key for batch in dataset.unreadable() for key in batch.column(0).to_pylist()]
    assert len(unreadable) == len({*unreadable})
    return there, unreadable


def test_the_same_rows_also_after_a_kill(with_ray, listing, tmp_path):
    model = write_tiny_onnx(tmp_path / "tiny.onnx")
    command = [with_ray.python, "-I", SCRIPT, PACKAGE, listing, tmp_path / "ray", model]
    process = subprocess.Popen(
        list(map(str, command)), env=os.environ | QUIET, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 300
    while len(list((tmp_path / "ray").glob("part-*"))) < 2:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = len(rows(tmp_path / "ray")[0])
    assert 0 < before < CROPS * 0.9

    result = with_ray.run(SCRIPT, PACKAGE, listing, tmp_path / "ray", model, **QUIET)
    assert result["skipped"] >= before
    assert result["skipped"] + result["vectors"] + result["unreadable"] == CROPS

    embedder = Embedder(model, pixel_range="0-1", verify=False)
    embed_to_parquet(listing, tmp_path / "local", embedder)
    (by_ray, unreadable), (expected, unreadable_here) = (
        rows(tmp_path / "ray"),
        rows(tmp_path / "local"),
    )
    assert by_ray.keys() == expected.keys()
    assert sorted(unreadable) == sorted(unreadable_here)
    assert len(unreadable) == CROPS // 100
    for key, row in expected.items():
        np.testing.assert_allclose(by_ray[key].pop("vector"), row.pop("vector"), atol=5e-4)
        assert by_ray[key] == row


def processes(session):
    """Return the command lines of the processes of a session, those of Ray too."""
    command = ["ps", "-ww", "--no-headers", "-o", "args", "-s", str(session)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def test_ctrl_c_loses_nothing_and_leaves_no_process(with_ray, listing, tmp_path):
    """A terminal sends SIGINT to all processes of the command, to those of Ray as well."""
    header, *lines = listing.read_text().splitlines()
    many = [f"{turn}-{line}" for turn in range(10) for line in lines]
    listing.write_text("\n".join([header, *many]))
    model, folder = write_tiny_onnx(tmp_path / "tiny.onnx"), tmp_path / "vectors"
    options = ["embed", listing, "-o", folder, "--weights", model, "--pixel-range", "0-1"]
    command = list(map(str, [with_ray.python, "-I", "-c", COMMAND, *options]))
    process = subprocess.Popen(
        [*command, "--engine", "ray"],
        env=os.environ | QUIET,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 300
    while "RayEmbedder" not in (running := "\n".join(processes(process.pid))):
        assert process.poll() is None
        assert time.monotonic() < end, running
        time.sleep(0.1)
    time.sleep(8)
    assert "raylet" in running
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    end = time.monotonic() + 10
    while left := processes(process.pid):
        assert time.monotonic() < end, left
        time.sleep(0.1)

    there, unreadable = rows(folder)
    done = len(there) + len(unreadable)
    assert 0 < done < 10 * CROPS
    assert f"{done:,} crops are embedded and in {folder}. The same command with --resume" in error
    assert "Traceback" not in error
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    there, unreadable = rows(folder)
    assert (len(there), len(unreadable)) == (9.9 * CROPS, 0.1 * CROPS)
