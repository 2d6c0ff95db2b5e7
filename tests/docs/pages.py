"""What of a page of documentation is done, in the order in which it stands there.

A block of `sh` is run in the reader's terminal, one of `python` by the interpreter; a block of `text` right
behind says what is printed. Comments before a block, which a reader does not see, say what else is to be
done with it:

    <!-- file: NAME -->         it is written to that file
    <!-- second terminal -->    it is run beside the others, until the page ends or says <!-- ctrl-c -->
    <!-- second terminal prints -->    this text comes to stand there, all told
    <!-- not run: REASON -->    it cannot be run unattended

A page that begins with <!-- after: tutorial --> goes on in the folder that the tutorial leaves.
"""

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"<!-- (.*?) -->")
AFTER_TUTORIAL = "after: tutorial"


@dataclass
class Block:
    """One block that is run, or the wish to end what runs in the second terminal."""

    action: str
    """`sh`, `python`, `file`, `beside`, `seen_beside` or `ctrl_c`."""
    text: str
    place: str
    """The page and the line, for people."""
    name: str = ""
    """Of a file."""
    expected: str = ""
    """What it prints, as the page shows it."""


@dataclass
class Page:
    path: Path
    blocks: list[Block]
    goes_on: bool
    """Whether it begins where the tutorial has ended."""


def read(path: Path) -> Page:
    text = path.read_text()
    blocks, behind, goes_on = [], 0, False
    last = None
    for fence in FENCE.finditer(text):
        before = text[behind : fence.start()]
        marks = MARK.findall(before)
        language, body = fence.groups()
        goes_on |= AFTER_TUTORIAL in marks
        place = f"{path.name}:{text.count(chr(10), 0, fence.start()) + 1}"
        if "ctrl-c" in marks:
            blocks.append(Block("ctrl_c", "", place))
        if "second terminal prints" in marks:
            blocks.append(Block("seen_beside", "", place, expected=body))
        elif language == "text" and last and not before.strip():
            last.expected, last = body, None
        else:
            last = block_of(language, body, marks, place)
            blocks += [last] if last else []
        behind = fence.end()
    if "ctrl-c" in MARK.findall(text[behind:]):
        blocks.append(Block("ctrl_c", "", f"{path.name}: end"))
    return Page(path, blocks, goes_on)


def block_of(language: str, body: str, marks: list[str], place: str) -> Block | None:
    files = [mark.removeprefix("file: ") for mark in marks if mark.startswith("file: ")]
    if files:
        return Block("file", body, place, name=files[-1])
    if language not in ("sh", "python") or any(mark.startswith("not run: ") for mark in marks):
        return None
    return Block("beside" if "second terminal" in marks else language, body, place)


def misses(expected: str, printed: str) -> str | None:
    """The first line of what a page shows that is not printed after those before it.

    `…` stands for anything in a line, and alone in a line for any lines. Without such a line between them, two
    lines that are shown together are printed together.
    """
    lines = [line.rstrip() for line in printed.splitlines()]
    at, is_free = 0, True
    for shown in expected.splitlines():
        shown = shown.rstrip()
        if shown == "…":
            is_free = True
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in shown.split("…")))
        places = range(at, len(lines)) if is_free else range(at, min(at + 1, len(lines)))
        found = next((place for place in places if pattern.fullmatch(lines[place])), None)
        if found is None:
            return shown
        at, is_free = found + 1, False
    return None
