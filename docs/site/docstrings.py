"""How docstrings are read for the reference."""

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Read a section `Example:` as `Examples:`, the only one of the two that Griffe knows."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rename the section in a docstring."""
        del kwargs
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE
            )
