"""The files of the repository as the rules see them: text by path, code without comments and string contents."""

import functools
import os
import re
import subprocess
from typing import NamedTuple

FOLDERS = ("log", "framework", "projections", "cluster", "samples", "tests")
LIBRARIES = ("log", "framework", "projections", "cluster")

# A comment, or a literal whose contents no rule should take for code. Raw strings first: they hold anything.
_NOT_CODE = re.compile(
    r'R"(?P<tag>[^()\\ ]{0,16})\(.*?\)(?P=tag)"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL,
)


class Finding(NamedTuple):
    path: str
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message}"


class Tree:
    """Text files by their path from the root. Rules read nothing else, so that a test can plant a file."""

    def __init__(self, files, root=None):
        self.files = files
        self.root = root

    @classmethod
    def load(cls, root):
        files = {}
        for path in _paths(root):
            try:
                with open(os.path.join(root, path), encoding="utf-8") as file:
                    files[path] = file.read()
            except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
                continue  # bytes, or deleted and not yet committed
        return cls(files, root)

    def cpp(self, folders=FOLDERS):
        """Paths of the C++ files in these top-level folders, sorted."""
        return sorted(p for p in self.files if p.endswith((".cpp", ".hpp")) and p.split("/")[0] in folders)

    def headers(self, folders=FOLDERS):
        return [path for path in self.cpp(folders) if path.endswith(".hpp")]

    def code(self, path):
        """The file with comments and the contents of literals blanked out; every character keeps its place."""
        return code_of(self.files[path])

    def matches(self, path, pattern, text=None):
        """(line, match) of each place in the file's code, or in `text`, where the pattern matches."""
        text = self.code(path) if text is None else text
        for match in re.finditer(pattern, text):
            yield text.count("\n", 0, match.start()) + 1, match


@functools.lru_cache(maxsize=None)
def code_of(text):
    def blank(match):
        return re.sub(r"[^\n\"']", " ", match.group(0)) if match.group(0)[0] != "/" else re.sub(r"[^\n]", " ", match.group(0))

    return _NOT_CODE.sub(blank, text)


def _paths(root):
    """Git's files and new ones that it does not ignore; without Git every file outside build folders."""
    command = ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
        return [path for path in listed.split("\0") if path]
    except (OSError, subprocess.CalledProcessError):
        found = []
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if not name.startswith("build") and name not in (".git", "data", "__pycache__")]
            found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
        return found
