"""Pages of HTML in one file, from templates of Jinja2."""

from pathlib import Path
from typing import Any

from keras_osnet._utils import optional
from keras_osnet._utils.files import atomic_path


class HtmlPage:
    """A page with the values that its template names, escaped.

    Args:
        template: File of the template.
        purpose: The feature that needs Jinja2, as the start of a sentence.
        extra: The extra of keras-osnet that installs it.

    Raises:
        ImportError: Jinja2 is not installed.
    """

    def __init__(self, template: Path, *, purpose: str, extra: str) -> None:
        jinja2: Any = optional.require("jinja2", purpose, extra)
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(template.parent),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._template = environment.get_template(template.name)

    def write(self, path: Path, **values: Any) -> None:
        """Write the page, replacing an existing file atomically.

        Raises:
            FileNotFoundError: The folder does not exist.
        """
        page = self._template.render(**values)
        with atomic_path(path) as temporary:
            # Bytes of file names that are no text are shown as escapes.
            temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
