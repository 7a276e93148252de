"""A local server for the real client of the Hub."""

import socket

import pytest
from huggingface_hub import constants
from pytest_httpserver import HTTPServer


@pytest.fixture(scope="session")
def server():
    with HTTPServer(host="localhost", threaded=True) as running:
        yield running


@pytest.fixture
def use_hub(tmp_path, monkeypatch):
    """Return a function that sets the client's endpoint in this process, with a separate cache."""

    def use(endpoint):
        # Read from the environment when the client is imported: too late for that in this process.
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        for name, value in {
            "ENDPOINT": endpoint,
            "HUGGINGFACE_CO_URL_TEMPLATE": template,
            "HF_HUB_CACHE": str(tmp_path / "hub"),
            "HF_TOKEN_PATH": str(tmp_path / "token"),
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_DISABLE_TELEMETRY": True,
        }.items():
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")

    return use


@pytest.fixture
def disconnect(use_hub, monkeypatch):
    """Return a function: "offline" sets HF_HUB_OFFLINE, "dead" makes connections fail."""

    def leave(how):
        if how == "dead":
            with socket.socket() as unused:
                unused.bind(("localhost", 0))
                use_hub(f"http://localhost:{unused.getsockname()[1]}")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", how == "offline")

    return leave
