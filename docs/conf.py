"""Configuration of the documentation; `make docs` builds it."""

import os
import sys
import warnings
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
from gallery import NOT_SHOWN, OF_THE_STUDY, use_study

project = "facearray"
author = "The facearray developers"
copyright = "2026, The facearray developers"  # noqa: A001 - the name that Sphinx reads
version = release = installed_version("facearray")

# Examples leave more in memory than a process may keep before joblib replaces it, which is all that it says.
warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "from_the_code",
    "pictures",
]
# What is said of the clips of good and bad news holds for no other data: without them it is shown and not run.
examples = "/examples/" if use_study() else f"/examples/(?!{'|'.join(OF_THE_STUDY)})"
sphinx_gallery_conf = {
    "examples_dirs": ["gallery", "../examples"],
    "gallery_dirs": ["auto_gallery", "auto_examples"],
    "image_scrapers": ("gallery.scraper",),
    "filename_pattern": rf"/plot_|{examples}",
    "ignore_pattern": rf"__init__\.py|({'|'.join(NOT_SHOWN)})\.py",
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 3600,
    "within_subsection_order": "gallery.order",
    "parallel": min(4, os.cpu_count() or 1),
    "reset_modules": ("matplotlib", "gallery.prepare"),
}
exclude_patterns = ["_build", "gallery"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False}
html_title = "facearray"
html_sidebars = {
    page: []
    for page in (
        "action_units",
        "changelog",
        "cli",
        "data_model",
        "detector",
        "formats",
        "getting_started",
        "reading",
        "store",
        "tables",
    )
}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
default_role = "py:obj"
autodoc_typehints = "signature"
autosummary_generate = True
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False
