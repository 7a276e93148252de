"""`keras-osnet visualize`: figures, one file a kind of them."""

import importlib
from typing import Any

import click

_KINDS = (
    "activations",
    "clusters",
    "gates",
    "ranked",
    "attributes",
    "explain",
    "embeddings",
    "cmc",
    "training",
    "network",
    "block",
)
"""Each is a module of this folder, in the order of `--help`."""


class _Figures(click.Group):
    """Imports a kind of figure when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_KINDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _KINDS:
            return None
        module: Any = importlib.import_module(f"keras_osnet.cli.visualize.{cmd_name}")
        return module.command


@click.group("visualize", cls=_Figures)
def command() -> None:
    """Draw what a network looks at and what it finds.

    Each writes one figure: .png, or .svg or .pdf.

    \b
    keras-osnet visualize activations DIR --weights TAG -o maps.png
    keras-osnet visualize ranked --data DIR --weights TAG -o ranked.pdf
    keras-osnet visualize training RUN -o training.svg
    """  # noqa: D301 - \b is click's mark of lines to leave alone
