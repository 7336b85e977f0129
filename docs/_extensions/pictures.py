"""Pictures on pages, made by the code that stands above them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import facearray as fa

#: Where pictures are put, beside the pages.
FOLDER = "auto_pictures"


class Picture(SphinxDirective):
    """Code, and below it what it calls ``picture``.

    ``{picture} WHAT IT SHOWS`` for those who cannot see it. ``fa`` and ``ds``, the clips of good and bad news, are
    there, and so are the names of earlier pictures on the page. Without ``plot_gallery`` the code is shown and not run.
    """

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"hide-code": directives.flag}

    def run(self) -> list[nodes.Node]:
        code = "\n".join(self.content)
        found: list[nodes.Node] = []
        if "hide-code" not in self.options:
            found.append(nodes.literal_block(code, code, language="python"))
        if self.config.plot_gallery:
            found.append(nodes.image(uri=f"/{self._draw(code)}", alt=self.arguments[0]))
        return found

    def _draw(self, code: str) -> str:
        page = self.env.temp_data.setdefault(FOLDER, {"fa": fa, "ds": fa.datasets.good_bad_news()})
        page["number"] = page.get("number", 0) + 1
        exec(compile(code, self.env.docname, "exec"), page)  # noqa: S102 - the page's own code
        name = f"{FOLDER}/{self.env.docname}-{page['number']}.png"
        path = Path(self.env.srcdir, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        fa.plot.save(page.pop("picture"), path, dpi=110)
        return name


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("picture", Picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
