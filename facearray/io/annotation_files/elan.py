"""Annotation documents of ELAN (``.eaf``).

References
----------
Max Planck Institute for Psycholinguistics: ELAN Annotation Format, EAF 3.0 (schema EAFv3.0.xsd and its guide).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from facearray.errors import ReadError
from facearray.io.annotation_files.entry import Entry
from facearray.io.annotation_files.text import file_name

__all__ = ["MARK", "read"]

#: What a document contains near its start.
MARK = b"<ANNOTATION_DOCUMENT"


def read(path: str, content: bytes) -> list[Entry]:
    """Read all annotations; raises ``ReadError``."""
    root = _parse(path, content)
    if root.tag != "ANNOTATION_DOCUMENT":
        raise ReadError(f"{path}: found XML with root {root.tag!r}; expected an ELAN document (ANNOTATION_DOCUMENT)")
    video, origin = _medium(path, root)
    document = _Document.of(path, root)
    entries = []
    for tier in root.iter("TIER"):
        for annotation in tier.iter():
            if identifier := annotation.get("ANNOTATION_ID"):
                start, end = document.span(identifier)
                entries.append(
                    Entry(
                        video=video,
                        start=(start + origin) / 1000,
                        end=(end + origin) / 1000,
                        label=(annotation.findtext("ANNOTATION_VALUE") or "").strip(),
                        tier=tier.get("TIER_ID", ""),
                        subject=tier.get("PARTICIPANT", ""),
                    )
                )
    return entries


def _parse(path: str, content: bytes) -> Element:
    """Parse XML without a document type, so that there are no entities that could grow or refer to other files."""

    def refuse(*_: object) -> None:
        raise ReadError(
            f"{path}, line {parser.CurrentLineNumber}: found a document type or entities; expected an ELAN document, "
            "which has none; save it again with ELAN"
        )

    parser, builder = expat.ParserCreate(), TreeBuilder()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ReadError(
            f"{path}, line {error.lineno}, column {error.offset}: found XML that is not well formed ({error}); "
            "expected an ELAN document; save it again with ELAN"
        ) from error
    return builder.close()


def _medium(path: str, root: Element) -> tuple[str, float]:
    """File name of the first video, and the milliseconds of it at which the document's time begins."""
    header = root.find("HEADER")
    if header is None:
        return "", 0.0
    if (units := header.get("TIME_UNITS", "milliseconds")) != "milliseconds":
        raise ReadError(f"{path}: found TIME_UNITS {units!r}; expected milliseconds; save it again with a newer ELAN")
    media = header.findall("MEDIA_DESCRIPTOR")
    chosen = next((m for m in media if m.get("MIME_TYPE", "").startswith("video")), media[0] if media else None)
    if chosen is None:
        return file_name(unquote(header.get("MEDIA_FILE", ""))), 0.0
    address = chosen.get("MEDIA_URL") or chosen.get("RELATIVE_MEDIA_URL") or ""
    origin = chosen.get("TIME_ORIGIN") or "0"
    try:
        return file_name(unquote(address)), float(int(origin))
    except ValueError:
        raise ReadError(f"{path}: found TIME_ORIGIN {origin!r} of a medium; expected whole milliseconds") from None


@dataclass(frozen=True, slots=True)
class _Document:
    """Times of time slots and annotations, in milliseconds."""

    path: str
    slots: dict[str, float] = field(default_factory=dict)
    aligned: dict[str, tuple[str, str]] = field(default_factory=dict)
    shares: dict[str, tuple[str, int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, path: str, root: Element) -> _Document:
        document = cls(path)
        for slot in root.iter("TIME_SLOT"):
            if (value := slot.get("TIME_VALUE")) is not None:
                document.slots[slot.get("TIME_SLOT_ID", "")] = document._number(slot, value)
        for tier in root.iter("TIER"):
            document._add_aligned(tier)
            document._add_references(tier)
        return document

    def span(self, identifier: str) -> tuple[float, float]:
        """Start and end of an annotation; one that refers to another has its share of that one's time."""
        shares: list[tuple[int, int]] = []
        seen = {identifier}
        while identifier not in self.aligned:
            if identifier not in self.shares or (parent := self.shares[identifier])[0] in seen:
                raise ReadError(
                    f"{self.path}: found a reference to annotation {identifier!r}, which has no time; expected one; "
                    "save the document again with ELAN"
                )
            identifier = parent[0]
            seen.add(identifier)
            shares.append(parent[1:])
        start, end = (self._time(slot, identifier) for slot in self.aligned[identifier])
        for position, n in reversed(shares):
            start, end = start + (end - start) * position / n, start + (end - start) * (position + 1) / n
        return start, end

    def _number(self, slot: Element, value: str) -> float:
        try:
            return float(int(value))
        except ValueError:
            raise ReadError(
                f"{self.path}: found time slot {slot.get('TIME_SLOT_ID')!r} at {value!r}; expected whole milliseconds"
            ) from None

    def _time(self, slot: str, annotation: str) -> float:
        if slot not in self.slots:
            raise ReadError(
                f"{self.path}: found annotation {annotation!r} at time slot {slot!r}, whose time is not known; "
                "expected aligned times before and after it; align it in ELAN"
            )
        return self.slots[slot]

    def _add_aligned(self, tier: Element) -> None:
        following: dict[str, str] = {}
        for annotation in tier.iter("ALIGNABLE_ANNOTATION"):
            start, end = annotation.get("TIME_SLOT_REF1", ""), annotation.get("TIME_SLOT_REF2", "")
            self.aligned[annotation.get("ANNOTATION_ID", "")] = start, end
            following[start] = end
        for start in following:
            if start in self.slots:
                self._space(_chain(start, following, self.slots))

    def _space(self, chain: Sequence[str]) -> None:
        """Put slots without a time evenly between the aligned ones at both ends of their chain."""
        if chain[-1] not in self.slots:
            return
        first, last, n = self.slots[chain[0]], self.slots[chain[-1]], len(chain) - 1
        for i, slot in enumerate(chain[1:-1], start=1):
            self.slots[slot] = first + (last - first) * i / n

    def _add_references(self, tier: Element) -> None:
        parents: dict[str, list[Element]] = {}
        for annotation in tier.iter("REF_ANNOTATION"):
            parents.setdefault(annotation.get("ANNOTATION_REF", ""), []).append(annotation)
        for parent, children in parents.items():
            for position, identifier in enumerate(_in_order(children)):
                self.shares[identifier] = parent, position, len(children)


def _chain(start: str, following: dict[str, str], known: dict[str, float]) -> list[str]:
    """Slots from an aligned one to the next aligned one, or to where the chain ends."""
    chain = [start]
    while chain[-1] in following and len(chain) <= len(following) + 1:
        chain.append(following[chain[-1]])
        if chain[-1] in known:
            break
    return chain


def _in_order(children: Sequence[Element]) -> Iterator[str]:
    """Give the identifiers of one parent's annotations: each follows the one that it names as previous."""
    following = {a.get("PREVIOUS_ANNOTATION", ""): a.get("ANNOTATION_ID", "") for a in children}
    if len(following) < len(children):
        yield from (a.get("ANNOTATION_ID", "") for a in children)
        return
    identifiers = set(following.values())
    current = next((previous for previous in following if previous not in identifiers), "")
    while current in following:
        current = following.pop(current)
        yield current
