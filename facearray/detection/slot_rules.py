"""The rules by which people get their slots, by name; :mod:`facearray.detection.slots` follows them."""

from __future__ import annotations

from facearray.errors import unknown_names

__all__ = ["SLOT_RULES", "slot_rule"]

#: Rules by which people get their slots.
SLOT_RULES = ("auto", "largest", "first", "dominant")


def slot_rule(slots: str, *, max_faces: int, embedding: bool) -> str:
    """Return the rule that ``"auto"`` stands for, or the rule itself.

    Raises
    ------
    InputError
        If there is no such rule.

    Examples
    --------
    >>> slot_rule("auto", max_faces=1, embedding=False), slot_rule("auto", max_faces=2, embedding=False)
    ('largest', 'first')
    """
    if slots not in SLOT_RULES:
        raise unknown_names("rule for slots", [slots], SLOT_RULES)
    if slots != "auto":
        return slots
    return "largest" if max_faces == 1 and not embedding else "first"
