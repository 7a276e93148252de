"""Commands as processes: what a terminal, a pipe or a script sees of them."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_osnet.cli.console import printable

MAIN = "import sys; sys.argv[0] = 'keras-osnet'; from keras_osnet.cli import main; main()"
NOISE = ("INFO", "WARNING", "XNNPACK", "absl", "oneDNN", "cuda", "E0000", "I0000", "W0000", "numpy")


def start(*arguments, code=MAIN, encoding="utf-8", **settings):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **both, encoding=encoding, **settings)


def finish(*arguments, **settings):
    process = start(*arguments, **settings)
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def in_process(code):
    """Return a program that runs the command `models`, replaced by this code."""
    return (
        "import sys, os, signal, click; sys.argv = ['keras-osnet', 'models']\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in background jobs
        "from keras_osnet.cli import main, application as module\n"
        f"def action():\n    {code}\n"
        "command = click.Command('models', callback=action)\n"
        "module._Application.get_command = lambda *_: command\n"
        "main()"
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminals_that_are_not_utf_8(encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    status, text, _ = finish("recipes", encoding=encoding, env=environment)
    assert status == 0
    assert "16 x 4" in text or "16 \xd7 4" in text
    status, text, _ = finish("recipes", "few_people", encoding=encoding, env=environment)
    assert status == 0
    assert tomllib.loads(text)["epochs"]
    status, text, _ = finish("weights", "--json", encoding=encoding, env=environment)
    assert status == 0
    assert json.loads(text)


def test_messages_cannot_control_the_terminal():
    assert printable("a\x1b[31mb\rc\x9bd\u202ee\udcfff\ng\th") == (
        "a\\x1b[31mb\\x0dc\\u009bd\\u202ee\\udcfff\ng\th"
    )
    assert printable("a\nb", lines=False) == r"a\nb"


def test_names_of_files_that_are_no_text(tmp_path):
    """Bytes that are no text, terminal escapes and line breaks in the names of files."""
    for name in ("ann", "bo\x1b[31m", "c\udcffd"):
        for number in range(2):
            place = tmp_path / "people" / name / f"\udcfe{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 4, 3), 9 * number, np.uint8)).save(place)
    place.write_bytes(b"no image")
    status, text, err = finish("stats", "--data", tmp_path / "people", "--json")
    assert status == 0
    assert "\x1b" not in text + err
    assert json.loads(text)["unreadable"]["files"] == [str(place)]
    assert r"\udcfe1.png" in err
    status, text, err = finish("stats", "--data", tmp_path / "bo\x1b[31m\udcff")
    assert status == 2
    assert "does not exist" in err
    assert "\x1b" not in err


@pytest.mark.parametrize("arguments", [["weights"], ["recipes"], ["--help"], ["train", "--help"]])
def test_a_pipe_that_closes_early(arguments):
    process = start(*arguments)
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141


def test_a_full_disk():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", MAIN, "weights"]
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert found.returncode == 1
    assert found.stderr == "Error: No space left on device\n"


def test_ctrl_c_of_a_process():
    code = in_process("print('begun', flush=True); import time; time.sleep(600)")
    process = start(code=code)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "Interrupted.\n")
    assert process.returncode == 130


def test_ctrl_c_in_a_callback_of_the_garbage_collector():
    code = (
        "import gc, time\n"
        "    def collected(*_):\n"
        "        gc.callbacks.clear()\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    gc.callbacks.append(collected)\n"
        "    gc.collect()\n"
        "    [time.sleep(0.1) for _ in range(100)]"
    )
    assert finish(code=in_process(code)) == (130, "", "Interrupted.\n")


def test_closed_streams():
    command = f'"{sys.executable}" -c "{MAIN}" models'
    for closed in (">&-", "2>&- >/dev/null", ">&- 2>&- <&-"):
        found = subprocess.run(f"{command} {closed}", shell=True, stderr=subprocess.PIPE)
        assert (found.returncode, found.stderr) == (0, b"")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="noise is held back by a second process")
@pytest.mark.parametrize(
    ("code", "status", "shown", "hidden"),
    [
        ("os.write(2, b'INFO: noise\\n'); print('result')", 0, [], ["noise"]),
        ("os.system('echo noise >&2'); print('ours', file=sys.stderr)", 0, ["ours"], ["noise"]),
        ("os.write(2, b'noise\\n'); raise ValueError('ours')", 1, ["Error: ours"], ["noise"]),
        ("os.write(2, b'why\\n'); {}['missing']", 1, ["Traceback", "KeyError", "why"], []),
        ("os.write(2, b'INFO: noise\\nwhy\\n'); os.abort()", -6, ["Fatal", "why"], ["noise"]),
        ("os.write(2, b'why\\n'); os.kill(os.getpid(), 9)", -9, ["why"], []),
        ("import logging; logging.getLogger('x').warning('noise')", 0, [], ["noise"]),
    ],
)  # fmt: skip
def test_noise_of_others_is_held_back_but_no_crash(code, status, shown, hidden, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    found, _, err = finish(code=in_process(code))
    assert found == status
    assert all(text in err for text in shown)
    assert not any(text in err for text in hidden)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    _, _, err = finish(code=in_process(code))
    assert all(text in err for text in [*shown, *hidden])


@pytest.mark.large
def test_commands_say_nothing_but_their_own_words(tmp_path, people):
    """From weights to a file, through every engine: stderr has no line of another package."""
    small = ("--image-size", 64, 32)
    model, vectors = tmp_path / "model.tflite", tmp_path / "vectors.npz"
    environment = {**os.environ, "PYTHONWARNINGS": ""}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    for arguments in (
        ["export", "--weights", "synthetic", *small, "-o", model, "--data", people],
        ["export", "--weights", "synthetic", *small, "-o", tmp_path / "model.onnx"],
        ["embed", people, "--weights", model, "-o", vectors],
        ["embed", people, "--weights", tmp_path / "model.onnx", "-o", vectors],
        ["evaluate", "--data", people, "--weights", "synthetic", *small, "--json"],
        ["benchmark", "--weights", model, "--rounds", 1, "--json"],
        ["visualize", "gates", people, "--weights", "synthetic", *small, "-o", tmp_path / "g.png"],
        ["info", "--weights", "synthetic", "--json"],
    ):
        status, out, err = finish(*arguments, env=environment)
        assert status == 0, err
        assert err == "", arguments
        assert not any(noise in out for noise in NOISE if noise != "XNNPACK")
        if "--json" in arguments:
            json.loads(out)
