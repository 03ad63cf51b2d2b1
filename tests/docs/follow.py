"""Follows the tutorial as its reader would: writes the files, runs the commands, compares what they print.

usage: follow.py FOLDER SOURCES     the pages FOLDER/*.md; SOURCES: the tree that the reader has in ~/lungo

README.md comes first, then the pages in the order of their names. Each goes on where the one before ended: same home, same
folder, same environment. The home is new and empty but for ~/lungo, a copy of the sources. Prints how long each page took; exit
status 1 with PAGE:LINE for the first thing that is not as the page says.
"""

import contextlib
import difflib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from pages import PageError, matches, parse, patched

# Of the sources, what the library and its tools are not built from; build folders, which are large, above all.
LEFT_OUT = (".*", "build*", "data", "docs", "samples", "tests")

# Of the caller's environment: the rest could make a command work here that fails for the reader. The launcher is the compiler cache,
# which has the library from another build of the same sources, and the reader's files from the last time.
KEPT = ("TMPDIR", "CMAKE_CXX_COMPILER_LAUNCHER")
PATH = "/usr/bin:/bin"  # Debian's own tools; a machine may have others in front of them


class Follower:
    """Does one page's steps after the other in one home. `end()` ends what they have left running."""

    def __init__(self, home, environment, timeout=1500):
        self._environment = {**environment, "HOME": home, "LANG": "C.UTF-8"}
        self._folder = home
        self._state = os.path.join(home, ".follow-state")
        self._failed_line = os.path.join(home, ".follow-line")
        self._timeout = timeout
        self._groups = []  # of processes: one of each fence that has left some

    def follow(self, page, text, lacks=()):
        """Leaves out commands that use one of the variables `lacks`, and returns how many. Raises PageError for the first step that
        does not do what the page says."""
        left_out = 0
        for step in parse(page, text):
            if step.kind != "run":
                self._write(page, step)
            elif any(f"${name}" in line for line in step.body for name in lacks):
                left_out += 1
            else:
                self._run(page, step)
        return left_out

    def end(self):
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def _write(self, page, step):
        path = os.path.join(self._folder, step.name)
        content = "\n".join(step.body) + "\n"
        if step.kind == "diff":
            try:
                with open(path, encoding="utf-8") as file:
                    content = patched(page, step, file.read())
            except FileNotFoundError as missing:
                raise PageError(page, step.line, f"there is no file {step.name} to change") from missing
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)

    def _run(self, page, step):
        status, printed = self._bash(step.body)
        if status != 0:
            line = step.line + self._line_that_failed()
            why = f"took longer than {self._timeout} s" if status is None else f"ended with status {status}"
            raise PageError(page, line, f"the command {why}; it printed:\n{printed}")
        if step.expected is not None and not matches(step.expected, printed.splitlines()):
            shown = difflib.unified_diff(step.expected, printed.splitlines(), "the page", "what was printed", lineterm="", n=99)
            raise PageError(page, step.expected_line, "this is not what was printed:\n" + "\n".join(shown))

    def _bash(self, body):
        """Exit status (None: too slow) and output. What the commands exported and where they went holds for the next ones."""
        script = f"set -euo pipefail; trap 'echo $LINENO >\"{self._failed_line}\"' ERR\n"
        script += "\n".join(body) + f'\nenv -0 >"{self._state}"\n'
        for leftover in (self._state, self._failed_line):
            if os.path.exists(leftover):
                os.remove(leftover)
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=self._folder, env=self._environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        try:
            printed = process.communicate(timeout=self._timeout)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, process.communicate()[0].decode(errors="replace")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 0)
            self._groups.append(process.pid)  # a group's number is nobody else's while it has a process
        if process.returncode == 0 and not os.path.exists(self._state):
            return 1, printed.decode(errors="replace") + "(and left the shell)"
        if process.returncode == 0:
            with open(self._state, encoding="utf-8", errors="surrogateescape") as file:
                pairs = (entry.split("=", 1) for entry in file.read().split("\0") if entry)
                self._environment = {name: value for name, value in pairs}
            self._folder = self._environment["PWD"]
        return process.returncode, printed.decode(errors="replace")

    def _line_that_failed(self):
        """Within the fence; 0 = unknown."""
        try:
            with open(self._failed_line, encoding="utf-8") as file:
                return int(file.read()) - 1
        except (FileNotFoundError, ValueError):
            return 0


def page_names(folder):
    names = sorted(name for name in os.listdir(folder) if name.endswith(".md") and name != "README.md")
    return ["README.md", *names]


def top_level_only(top, ignore):
    """`ignore`, asked about the folder `top` alone."""
    return lambda folder, names: ignore(folder, names) if folder == top else set()


def environment_for(home):
    """A reader's environment, with the compiler cache of whoever runs this."""
    kept = {"PATH": PATH} | {name: os.environ[name] for name in KEPT if os.environ.get(name)}
    if kept.get("CMAKE_CXX_COMPILER_LAUNCHER"):
        asked = subprocess.run(
            [kept["CMAKE_CXX_COMPILER_LAUNCHER"], "--get-config", "cache_dir"], capture_output=True, text=True, check=False
        )
        if asked.returncode == 0:
            kept |= {"CCACHE_DIR": asked.stdout.strip(), "CCACHE_BASEDIR": home, "CCACHE_NOHASHDIR": "1"}
    return kept


def main(folder, sources):
    with tempfile.TemporaryDirectory(prefix="tutorial-") as home:
        copy = os.path.join(home, "lungo")
        shutil.copytree(sources, copy, ignore=top_level_only(sources, shutil.ignore_patterns(*LEFT_OUT)))
        follower = Follower(home, environment_for(home))
        for name in page_names(folder):
            begin = time.monotonic()
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = file.read()
            try:
                follower.follow(os.path.join(folder, name), text)
            except PageError as fault:
                print(fault)
                return 1
            print(f"{name}: {time.monotonic() - begin:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], os.path.abspath(sys.argv[2])))
