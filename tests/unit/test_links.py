"""Links between pages, from the source files alone: nothing is built and nothing is fetched."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.rst"), *DOCS.rglob("*.rst")])
SCRIPTS = sorted([*(ROOT / "examples").glob("*.py"), *(DOCS / "gallery").glob("*.py")])
#: Where the pages of folders that are made by the build come from.
MADE = {"auto_gallery": DOCS / "gallery", "auto_examples": ROOT / "examples"}

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="not a clone of the repository")


def sources() -> list[Path]:
    made = {*MADE, "generated", "sg_execution_times.rst"}
    return [path for path in (*PAGES, *SCRIPTS) if not made & {*path.parts}]


def prose(path: Path) -> str:
    """What a reader sees as text: without blocks of code and, in Markdown, what is set as code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        blocks = re.compile(r"^(`{3,})([^\n`]*)\n.*?^\1$", re.MULTILINE | re.DOTALL)
        text = blocks.sub(lambda block: block[0] if re.match(r"\{(literalinclude|toctree)\}", block[2]) else "", text)
    return text


def slugs(text: str) -> set[str]:
    """Anchors of headings, as GitHub and MyST make them, and labels that stand before them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return made | set(re.findall(r"^\((\S+)\)=$", text, re.MULTILINE))


LABELS = set().union(*(slugs(prose(path)) for path in DOCS.rglob("*.md")))


def page_exists(name: str, folder: Path) -> bool:
    name = name.removesuffix(".md")
    base = DOCS if name.startswith("/") else folder
    path = base / name.lstrip("/")
    parts = path.relative_to(DOCS).parts if path.is_relative_to(DOCS) else ()
    if parts and parts[0] in MADE:
        if parts[1:] == ("index",):
            return (MADE[parts[0]] / "GALLERY_HEADER.rst").exists()
        return (MADE[parts[0]] / parts[1]).with_suffix(".py").exists()
    return path.with_suffix(".md").exists()


def broken(path: Path, text: str) -> list[str]:
    """Targets of links in a text that are not there."""
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]+`(?!\()", "", text)) if path.suffix == ".md" else []:
        if re.match(r"(https?|mailto):", target) or target in LABELS:
            continue
        name, _, anchor = target.partition("#")
        page = (path.parent / name) if name else path
        anchors = slugs(prose(page)) if page.suffix == ".md" and page.exists() else set()
        exists = page.exists() or page_exists(name, path.parent)
        if not exists or (anchor and page.suffix == ".md" and anchor not in anchors | (set() if name else LABELS)):
            found.append(target)
    for role, inner in re.findall(r"\{?:?(doc|ref)[:}]+`([^`]+)`", text):
        target = inner.rpartition("<")[2].removesuffix(">")
        folder = DOCS if path.suffix != ".md" else path.parent
        if not (page_exists(target, folder) if role == "doc" else target in LABELS):
            found.append(inner)
    included = re.findall(r"\{literalinclude\} (\S+)", text)
    found.extend(target for target in included if not (path.parent / target).exists())
    for block in re.findall(r"\{toctree\}.*?\n```", text, re.DOTALL):
        names = [line for line in block.splitlines()[1:-1] if line and not line.startswith(":")]
        found.extend(name for name in names if not page_exists(name, path.parent))
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links__lead_somewhere(path):
    assert broken(path, prose(path)) == []


def test_links__there_are_some():
    text = "".join(map(prose, sources()))
    assert len(re.findall(r"\{doc\}`|\]\(", text)) > 60
    assert len(LABELS) > 100


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("see [this](no_such_page.md)", "no_such_page.md"),
        ("see [this](statistics.md#no-such-heading)", "statistics.md#no-such-heading"),
        ("see {doc}`no_such_page`", "no_such_page"),
        ("see {doc}`words <no_such_page>`", "words <no_such_page>"),
        ("see {doc}`auto_examples/no_such_script`", "auto_examples/no_such_script"),
        ("see {ref}`no-such-label`", "no-such-label"),
        ("```{literalinclude} ../examples/no_such.py\n```", "../examples/no_such.py"),
        ("```{toctree}\n:maxdepth: 2\n\nstatistics\nno_such_page\n```", "no_such_page"),
    ],
)
def test_links__that_lead_nowhere_are_noticed(text, target):
    assert broken(DOCS / "index.md", text) == [target]
