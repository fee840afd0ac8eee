"""Builds the documentation as a static site with Sphinx and MyST: see scripts/docs-site."""

project = "transports"
copyright = "the transports authors"
root_doc = "docs/site/contents"
extensions = ["myst_parser"]
myst_heading_anchors = 4
# Pictures of the README are <img> with a width.
myst_enable_extensions = ["html_image"]
# Only pages: everything else in the repository is reached by its link.
include_patterns = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/**",
]
exclude_patterns = [".*", "target", "src", "tests", "web", "fuzz", "benches", "scripts", "deploy", "migrations", ".git"]
# A page may show code that no lexer knows.
suppress_warnings = ["misc.highlighting_failure"]
html_theme = "furo"
html_title = "transports"
html_extra_path = ["root"]
html_copy_source = False
html_show_sphinx = False
