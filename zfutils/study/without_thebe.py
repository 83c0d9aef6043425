"""A Sphinx extension that keeps thebe out of the book's pages (`_config.yml`).

Jupyter Book always loads sphinx-thebe, which runs code on a remote server. The book is read without network;
the script it adds to every page would be fetched from elsewhere if asked, and is added twice, an error there.
"""

from typing import Any


def setup(app: Any) -> dict[str, bool]:
    """Disconnect what sphinx-thebe does when pages are read and written; called by Sphinx, after its own."""
    for listeners in list(app.events.listeners.values()):
        for one in list(listeners):
            if one.handler.__module__ == "sphinx_thebe":
                app.disconnect(one.id)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
