"""A Griffe extension for the docstrings of the API reference."""

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Treat the section `Example:` as `Examples:`, the form that Griffe supports."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rename the section in a docstring."""
        del kwargs
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE
            )
