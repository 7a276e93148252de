"""Serve a copy of examples/browser, and open it in Chromium."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from environments import Environment, run_process

SOURCE = Path(__file__).parents[2] / "examples/browser"
SCRIPT = Path(__file__).parent / "scripts/search_in_browser.py"

PLAYWRIGHT = ["playwright"]
"""Drives a browser; its own builds of Chromium are not downloaded."""

_INSTALLED = shutil.ignore_patterns("node_modules", "build", "people", "model.tflite*")


def copy_page(folder: Path) -> Path:
    """Copy the sources of the page and install its packages with npm; return the folder."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    shutil.copytree(SOURCE, folder, ignore=_INSTALLED)
    run_process(["npm", "ci", "--prefix", folder, "--no-audit", "--no-fund"])
    return folder


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Run `npm start` on a free port, and yield the page's address."""
    command = ["npm", "start", "--prefix", folder, "--", "--serve=127.0.0.1:0"]
    # The server ends with its standard input.
    with subprocess.Popen(
        list(map(str, command)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        printed = []
        for line in server.stderr:
            printed.append(line)
            if address := re.search(r"http://127\.0\.0\.1:\d+/", line):
                break
        else:
            pytest.fail(f"npm start ended:\n{''.join(printed)}")
        yield address[0]
        server.stdin.close()


def find_chromium() -> Path:
    """Return Chromium or Chrome on the path, or skip."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return Path(found)
    pytest.skip("Chromium is not installed")


def search(
    environment: Environment, address: str, how: str, path: Path | str, screenshot: Path
) -> dict[str, Any]:
    """Open images in the page and search for one; arguments and result as in the script."""
    return environment.run(SCRIPT, find_chromium(), address, how, path, screenshot)
