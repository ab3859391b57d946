"""Sphinx extension: with an address of the repository, pages link to it; without, nothing does.

The address is `repository: url` of _config.yml. Pages then have buttons for the repository, an
issue and an edit, and notebooks one to launch them.
"""

from __future__ import annotations

from typing import Any

BUTTONS = ("use_repository_button", "use_issues_button", "use_edit_page_button")
LAUNCH = {"binderhub_url": "https://mybinder.org", "notebook_interface": "jupyterlab"}
#: Of GitHub alone, which Colab reads from.
COLAB = {"colab_url": "https://colab.research.google.com"}


def switch_on(app: Any, config: Any) -> None:
    """Add the theme's options for the buttons, if there is an address."""
    options = config.html_theme_options
    if address := options.get("repository_url"):
        options.update(dict.fromkeys(BUTTONS, True))
        options["launch_buttons"] = LAUNCH | (COLAB if "github.com" in address else {})


def setup(app: Any) -> dict[str, bool]:
    app.connect("config-inited", switch_on, priority=100)
    return {"parallel_read_safe": True}
