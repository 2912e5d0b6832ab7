"""Text that others wrote, made fit to stand in what people are told.

Rules
- What senders say is shown, but cannot lie about what stands beside it: control characters become a space; characters
  that turn the direction of writing around, and those that nobody sees, are left out. What joins letters or emoji
  stays, one at a time.
- Half of a pair of surrogates can be written nowhere, and is left out as well.
- What is too long is cut, and ends in `..`.
"""

import re

_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff"
    "\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]+"
)
_JOINERS = re.compile("([\u200c\u200d])[\u200c\u200d]+")
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]+")
_CONTROL_IN_LINES = re.compile("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f]+")
_LINE_ENDS = re.compile("\r\n?|\u2028|\u2029|\x85|\x0b|\x0c")
_EMPTY_LINES = re.compile(r"\n[ \n]*\n")
_CUT = ".."


def cut(text: str, most: int) -> str:
    """Returns a text of at most `most` characters, 2 or more."""
    return text if len(text) <= most else text[: most - len(_CUT)].rstrip() + _CUT


def line(text: str, most: int = 500) -> str:
    """Returns a text as one line of at most `most` characters, without space at its ends."""
    # Cut before the costly part, with room for what is left out.
    text = _seen(text[: 8 * most])
    return cut(" ".join(_CONTROL.sub(" ", text).split()), most)


def block(text: str, most: int) -> str:
    """Returns a text of several lines, at most `most` characters, no two empty lines in a row."""
    text = _LINE_ENDS.sub("\n", _seen(text[: 8 * most]))
    text = _CONTROL_IN_LINES.sub(" ", text)
    return cut(_EMPTY_LINES.sub("\n\n", text).strip(), most)


def _seen(text: str) -> str:
    if text.isascii():
        return text
    return _JOINERS.sub(r"\1", _UNSEEN.sub("", text))
