"""How `make docs` turns these pages into a site. The pages stay plain Markdown, which GitHub shows as it is."""

from __future__ import annotations

import re

import bouncegrad

project = "bouncegrad"
author = "The bouncegrad authors"
copyright = "The bouncegrad authors, MIT licence"
version = release = bouncegrad.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3  # the anchors of GitHub, for links from page to page
nitpicky = True
nitpick_ignore_regex = [("py:.*", "(?!bouncegrad).*")]  # names of other projects: no page of theirs is asked for
suppress_warnings = ["misc.highlighting_failure"]
highlight_language = "text"
default_role = "literal"  # docstrings write `code` in single backticks
keep_warnings = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_use_rtype = False
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 110

html_theme = "furo"
html_title = "bouncegrad"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
pygments_style = "default"
pygments_dark_style = "monokai"

# The side bar. It stands here and not on the first page, where GitHub would show it as code.
CONTENTS = {
    "Start": ["start", "idea", "your-data", "options"],
    "Tutorials": [
        f"tutorials/{name}"
        for name in ("springs", "charged", "own-csv", "notebook", "unseen", "counterfactual", "maml", "published")
    ],
    "Questions": ["before", "during", "after", "how-sure"],
    "Look up": ["data", "notation", "report", "scaling", "results", "history"],
    "Inside": ["algorithm", "differences", "extending", "api"],
}


def for_the_site(app, name: str, source: list[str]) -> None:
    """Links to source files lead to their part of the API; the first page gets what the side bar is made of."""

    def module(found: re.Match[str]) -> str:
        return f"{{py:mod}}`{found[1]} <{found[2].replace('/', '.')}>`"

    source[0] = re.sub(r"\[([^\]]+)\]\(\.\./src/(bouncegrad/[\w/]+)\.py\)", module, source[0])
    if name == "index":
        for caption, pages in CONTENTS.items():
            source[0] += "\n".join(["\n```{toctree}", ":hidden:", f":caption: {caption}", *pages, "```\n"])


def shapes(app, what, name, obj, options, signature: str | None, returned: str | None):
    """`Float[ndarray, "M T N D"]` becomes `Float[M, T, N, D]`, the way the pages write shapes."""

    def axes(found: re.Match[str]) -> str:
        names = [re.sub(r"[^\w.]+", "_", axis) for axis in found[2].split()]  # Sphinx reads no sums such as N-H
        return f"{found[1]}[{', '.join(names)}]"

    def short(text: str | None) -> str | None:
        return text and re.sub(r"(?:jaxtyping\.)?(Float|Int|Bool)\[[\w.]+, *['\"] *([^'\"]*)['\"]\]", axes, text)

    return short(signature), short(returned)


def unlinked(app, tree) -> None:
    """Axes such as `steps` in a shape are no names of the code, even where something there is called so."""
    from sphinx import addnodes  # here, so that a test can read the side bar where Sphinx is not installed

    for link in list(tree.findall(addnodes.pending_xref)):
        if link.get("reftype") == "class" and link.get("reftarget", "").islower() and "." not in link["reftarget"]:
            link.replace_self(link.children)


def formulas(app, what, name, obj, options, lines: list[str]) -> None:
    """An indented block of a docstring is a formula or a picture in letters and keeps its spaces; modules are named."""
    for i in range(len(lines) - 1, 1, -1):
        above = next((line for line in reversed(lines[:i]) if line.strip()), "")
        deeper = lines[i].startswith("    ") and len(above) - len(above.lstrip()) < 4
        if deeper and not lines[i - 1].strip() and not above.startswith((".. ", ":", "-")):
            lines[i:i] = ["::", ""]
    if what == "module":
        lines[:0] = [f".. rubric:: {name}", ""]


def setup(app) -> None:
    """Sphinx asks for this by name."""
    app.connect("source-read", for_the_site)
    app.connect("autodoc-process-signature", shapes)
    app.connect("doctree-read", unlinked)
    app.connect("autodoc-process-docstring", formulas, priority=600)
