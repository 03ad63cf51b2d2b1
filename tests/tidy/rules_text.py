"""Rules over whole files: their length, words that must not appear, documents that must agree with the tree."""

import hashlib
import os
import re

from source import Finding

LINES_MAX = 500
QUICKSTART = "samples/quickstart/main.cpp"
QUICKSTART_LINES_MAX = 30
GOLDEN = "tests/golden/"

# Written in pieces, so that this file passes its own rule.
_FORBIDDEN = re.compile(
    r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"
    r"|(?<![\w.~])/(?:wo" r"rk|fa" r"rm|ro" r"ot)/|/tm" r"p/(?:b-|lungo|infra)"
    r"|repo1\.mav" r"en|registry\.npm" r"js|deb\.deb" r"ian\.org|py" r"pi\.org|crates\.io/a" r"pi|proxy\.gol" r"ang"
)


def file_length(tree):
    """No file of code is longer than 500 lines: which object hides inside?"""
    for path, text in sorted(tree.files.items()):
        lines = text.count("\n")
        is_code = path.endswith((".cpp", ".hpp", ".py", ".sh", ".java", ".cmake", "CMakeLists.txt")) or text.startswith("#!")
        if is_code and lines > LINES_MAX:
            yield Finding(path, LINES_MAX, f"{lines} lines, more than {LINES_MAX}")


def forbidden_words(tree):
    """No paths of one machine, no registry hosts, no notes of unfinished work."""
    for path, text in sorted(tree.files.items()):
        for line, match in tree.matches(path, _FORBIDDEN, text):
            yield Finding(path, line, f"'{match.group(0)}' must not appear")


def header_comments(tree):
    """A header begins with a comment that says what lives there."""
    for path in tree.headers():
        if not tree.files[path].startswith("// "):
            yield Finding(path, 1, "a header begins with a comment: what lives here, for whom, the promise")


def reference_documents(tree):
    """The documents that others rely on exist, and the public folders are on the map."""
    for path in ("README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "docs/README.md", "docs/reference/directory.md"):
        if path not in tree.files:
            yield Finding(path, 1, "is missing")


def document_links(tree):
    """Relative links in documents lead to files that exist."""
    for path, text in sorted(tree.files.items()):
        if not path.endswith(".md"):
            continue
        for line, match in tree.matches(path, r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)", text):
            target = os.path.normpath(os.path.join(os.path.dirname(path), match.group(1)))
            if target not in tree.files and not any(name.startswith(target.rstrip("/") + "/") for name in tree.files):
                yield Finding(path, line, f"link to {match.group(1)}, which does not exist")


def readme_quickstart(tree):
    """The README's quickstart is the sample, letter by letter, and short."""
    sample = tree.files.get(QUICKSTART)
    if sample is None:
        yield Finding(QUICKSTART, 1, "is missing")
        return
    if sample.count("\n") > QUICKSTART_LINES_MAX:
        yield Finding(QUICKSTART, QUICKSTART_LINES_MAX, f"more than {QUICKSTART_LINES_MAX} lines")
    blocks = re.findall(r"```cpp\n(.*?)```", tree.files.get("README.md", ""), re.DOTALL)
    if sample not in blocks:
        yield Finding("README.md", 1, f"no ```cpp block is equal to {QUICKSTART}")


def golden_files(tree):
    """Golden bytes are never rewritten: every file's hash stands in tests/golden/SHA256SUMS."""
    if tree.root is None:
        return
    sums = tree.files.get(GOLDEN + "SHA256SUMS", "")
    lines = (line.split(maxsplit=1) for line in sums.splitlines() if line.strip())
    expected = {os.path.normpath(path): digest for digest, path in lines}
    folder = os.path.join(tree.root, GOLDEN)
    found = set()
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.relpath(os.path.join(place, name), folder)
            if path == "SHA256SUMS" or path.endswith((".md", ".cpp", ".hpp", "CMakeLists.txt")):
                continue
            found.add(path)
            with open(os.path.join(folder, path), "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            if expected.get(path) != digest:
                yield Finding(GOLDEN + path, 1, "its hash is not in SHA256SUMS; a new file joins by `sha256sum`, an old one never changes")
    for path in sorted(set(expected) - found):
        yield Finding(GOLDEN + path, 1, "is in SHA256SUMS and not there")
