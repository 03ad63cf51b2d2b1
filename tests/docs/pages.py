"""What a page of the tutorial asks its reader to do, as steps: files to write, files to change, commands to run.

A page is Markdown of a narrow kind, so that nothing in it can be shown and not tried:

    **`NAME`**          on a line of its own, then a fence ```cpp or ```cmake: the whole file NAME, new or replaced
    **`NAME`**          then a fence ```diff: a change of that file. Lines begin with a space (must be there), `-` (must be there,
                        goes) or `+` (comes); a line `@@` stands between two places. Each must be found once in the file.
    ```sh               commands, run by bash with `set -euo pipefail`
    ```text             right behind a ```sh fence: all that its commands print, stdout and stderr. `...` in a line stands for any
                        characters of the line, a line that is `...` for any lines, or none.

Everything else that looks like code is an error: another fence, one that is indented, a block of indented lines, a file's name
without its fence.
"""

import re
from dataclasses import dataclass

_NAMED = re.compile(r"\*\*`([^`]+)`\*\*")
_FENCE = re.compile(r"(\s*)(`{3,}|~{3,})(.*)")
WHOLE_FILES = ("cpp", "cmake")


class PageError(Exception):
    """A fault of the page, with the place that a reader can open."""

    def __init__(self, page, line, message):
        super().__init__(f"{page}:{line}: {message}")


@dataclass
class Step:
    """One fence. `line` is that of its opening, so line + N is its N-th line."""

    kind: str  # "file", "diff" or "run"
    line: int
    body: list
    name: str = ""
    expected: list | None = None  # "run": what is printed, if the page says
    expected_line: int = 0


def parse(page, text):
    """The page's steps in order. Raises PageError."""
    steps = []
    name = name_line = None  # of a file whose fence must come next
    may_be_output = False  # nothing but blank lines since a ```sh fence
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        number, line = at + 1, lines[at]
        at += 1
        if not line.strip():
            continue
        fence = _FENCE.fullmatch(line)
        if fence is None:
            if name:
                raise PageError(page, name_line, f"no fence follows the file's name {name}")
            if line.startswith(("    ", "\t")):
                raise PageError(page, number, "an indented block would be shown and not tried: make it a fence")
            named = _NAMED.fullmatch(line)
            name, name_line = (_file_name(page, number, named.group(1)), number) if named else (None, None)
            may_be_output = False
            continue
        if fence.group(1) or fence.group(2) != "```":
            raise PageError(page, number, "a fence is three backticks in the first column")
        body, at = _body(page, lines, at, number)
        step = _step(page, number, fence.group(3), body, name)
        if step is not None:
            steps.append(step)
        elif may_be_output:
            steps[-1].expected, steps[-1].expected_line = body, number
        else:
            raise PageError(page, number, "a ```text fence must follow a ```sh fence, whose output it is")
        may_be_output = step is not None and step.kind == "run"
        name = None
    if name:
        raise PageError(page, name_line, f"no fence follows the file's name {name}")
    return steps


def _body(page, lines, at, opening):
    """The fence's lines and the place behind its end."""
    for end in range(at, len(lines)):
        if lines[end] == "```":
            return lines[at:end], end + 1
    raise PageError(page, opening, "the fence has no end")


def _file_name(page, line, name):
    if name.startswith(("/", "~")) or ".." in name.split("/"):
        raise PageError(page, line, f"{name} is not inside the tutorial's folder")
    return name


def _step(page, line, language, body, name):
    """The fence as a step; None for a ```text fence."""
    if language in WHOLE_FILES or language == "diff":
        if not name:
            raise PageError(page, line, f"a ```{language} fence needs its file's name on the line before: **`NAME`**")
        return Step("diff" if language == "diff" else "file", line, body, name)
    if name:
        raise PageError(page, line, f"the fence of the file {name} must be ```cpp, ```cmake or ```diff")
    if language == "sh":
        return Step("run", line, body)
    if language == "text":
        return None
    raise PageError(page, line, f"nobody knows what a fence ```{language} asks for: sh, text, cpp, cmake or diff")


def patched(page, step, content):
    """The file's content with the step's changes made. Raises PageError where a place is not found, or found twice."""
    lines = content.split("\n")
    begin = step.line + 1
    for place in "\n".join(step.body).split("\n@@\n"):
        change = place.split("\n")
        for index, line in enumerate(change):
            if line and line[0] not in " +-":
                raise PageError(page, begin + index, f"a line of a ```diff begins with ' ', '+' or '-', not: {line}")
        old = [line[1:] for line in change if not line.startswith("+")]
        new = [line[1:] for line in change if not line.startswith("-")]
        found = [at for at in range(len(lines) - len(old) + 1) if lines[at : at + len(old)] == old]
        if len(found) != 1 or not old:
            raise PageError(page, begin, f"this place was found {len(found)} times in {step.name}, not once")
        lines[found[0] : found[0] + len(old)] = new
        begin += len(change) + 1
    return "\n".join(lines)


def matches(expected, printed):
    """True if the printed lines are the expected ones, whose `...` stand for what differs."""
    pattern = ""
    for line in expected:
        if line == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(re.escape(part) for part in line.split("...")) + r"\n"
    return re.fullmatch(pattern, "".join(line + "\n" for line in printed)) is not None
