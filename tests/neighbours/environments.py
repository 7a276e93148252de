"""Environments made with pip, and processes in them."""

import hashlib
import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

TORCH = "torch==2.13.0"
"""Installed first and alone where it is needed, so that no other build of it is chosen."""

_NO_NETWORK = re.compile(
    "NewConnectionError|ConnectTimeout|ReadTimeout|Temporary failure in name resolution"
    "|Name or service not known|Network is unreachable|ProxyError|Connection refused"
    "|Temporary failure resolving|Could not resolve"
    "|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT"
)
"""What pip, npm and apt print when they reach no registry."""


def run_process(command: Sequence[str | Path], timeout: float = 600, **variables: str) -> str:
    """Run a command and return its standard output; fail with the end of what it printed.

    Skip if it reached no package registry.

    Args:
        command: Program and arguments.
        timeout: In seconds.
        variables: Environment variables, in addition to those of this process.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    ended = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        timeout=timeout,
        env=inherited | variables,
        check=False,
    )
    if ended.returncode:
        printed = ended.stdout[-3000:] + ended.stderr[-3000:]
        if unreachable := _NO_NETWORK.search(printed):
            pytest.skip(
                f"no package registry is reached: {unreachable[0]} of {Path(command[0]).name}"
            )
        pytest.fail(f"{Path(command[0]).name} ended with {ended.returncode}:\n{printed}")
    return ended.stdout


@dataclass(frozen=True)
class Environment:
    """A Python environment with a released package."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def version(self, package: str) -> str:
        """Return the installed version of a package."""
        code = f"from importlib.metadata import version; print(version({package!r}))"
        return run_process([self.python, "-c", code]).strip()

    def run(self, script: Path, *arguments: str | Path, **variables: str) -> dict[str, Any]:
        """Run a script in a process of its own; return the JSON object of its last line."""
        printed = run_process([self.python, "-I", script, *arguments], **variables)
        return json.loads(printed.strip().splitlines()[-1])


def make_environment(kept: Path, *groups: Sequence[str]) -> Environment:
    """Make an environment with packages from pip, or find it in `kept`.

    Args:
        kept: Folder of environments.
        groups: Requirements; each group is installed in one call of pip, in order.
    """
    wanted = json.dumps([sys.version, *map(list, groups)])
    package = re.split(r"\W", groups[-1][0])[0]
    name = f"{package}-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"
    made = Environment(kept / name)
    complete = made.folder / "complete.json"
    with FileLock(kept / f"{name}.lock"):
        if not complete.exists():
            venv.create(made.folder, clear=True, with_pip=True)
            for group in groups:
                command = [made.python, "-m", "pip", "install", "--quiet", *group]
                run_process(command, timeout=1800, PIP_DISABLE_PIP_VERSION_CHECK="1")
            complete.write_text(wanted)
    return made
