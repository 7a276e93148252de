"""The quickstart's report: one page in one file."""

import base64
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_osnet import __version__
from keras_osnet._utils import optional
from keras_osnet._utils.files import atomic_path
from keras_osnet.data.records import camera_labels
from keras_osnet.quickstart.figures import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from keras_osnet.quickstart.quickstart import QuickstartResult

_TEMPLATE = "report.html"
_DPI = 130


def write_report(result: "QuickstartResult", path: str | os.PathLike[str]) -> None:
    """Write the report: an HTML page with embedded images, which opens offline.

    Args:
        result: The result of the quickstart.
        path: The file; it is replaced atomically.

    Raises:
        FileNotFoundError: The folder does not exist.
        ImportError: Jinja2 or matplotlib is not installed.
    """
    jinja2 = optional.require("jinja2", "The quickstart", extra="quickstart")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(_TEMPLATE).render(
        result=result,
        dim=result.embeddings[1].vectors.shape[1],
        counts=result.dataset.counts,
        with_cameras=camera_labels(result.dataset.all_images) is not None,
        images={name: _data_url(figure) for name, figure in figures(result).items()},
        fidelity=result.fidelity.table(),
        speeds=[_speed(speed) for speed in result.speeds],
        version=__version__,
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _data_url(figure: "Figure") -> str:
    """Return a figure as the URL of an embedded PNG."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def _speed(speed: Any) -> dict[str, Any]:
    return {
        "file": speed.file.name,
        "kilobytes": speed.file.stat().st_size / 1000,
        "latency": speed.latency,
        "throughput": speed.throughput,
        "memory": speed.peak_memory,
        "threads": speed.threads,
    }
