"""Rules over the code itself: calls that have one home, macros, the coroutine traps of g++ 12."""

import re

from source import LIBRARIES, Finding

_THREADS = r"\bstd::(?:jthread|thread|async)\b|\bpthread_create\b"
_THREAD_HOMES = ("log/runner_posix.", "cluster/net/shard.")

# Calls that open, change or sync files. Names that are common words count only as calls of the global namespace.
_FILE_CALLS = (
    r"(?<![\w>])::(?:open|write|rename|unlink|truncate)\s*\("
    r"|(?<![\w.>])(?:::)?(?:openat|creat|pwrite|pwritev|writev|fsync|fdatasync|ftruncate|fallocate|posix_fallocate|fopen)\s*\("
    r"|\bstd::(?:basic_)?[io]?fstream\b|\bstd::filesystem::(?:rename|remove|remove_all|create_director|resize_file|copy)"
)
_FILE_HOME = "log/storage_posix."

_MMAP = r"(?<![\w.>])(?:::)?mmap\s*\("
_MANNERS = (
    r"\bstd::(?:abort|exit|quick_exit|_Exit|terminate|signal|atexit)\s*\(|(?<![\w.>])::(?:abort|exit|_exit|signal|sigaction)\s*\("
    r"|(?<![\w.>:])(?:sigaction|_exit)\s*\("
)
_SLEEPS = r"\bsleep_for\b|\bsleep_until\b|(?<![\w.>])(?:::)?(?:usleep|nanosleep|clock_nanosleep)\s*\(|(?<![\w>])::sleep\s*\("


def _calls(tree, folders, pattern, homes, message):
    for path in tree.cpp(folders):
        if not path.startswith(homes):
            for line, match in tree.matches(path, pattern):
                yield Finding(path, line, f"{match.group(0).strip(' (')}: {message}")


def threads(tree):
    """Threads start in the runner and the shards only; all else is an Activity."""
    return _calls(tree, (*LIBRARIES, "samples"), _THREADS, _THREAD_HOMES, "threads start in log/runner_posix and cluster/net/shard only")


def file_calls(tree):
    """Files are opened, written and synced through the storage port."""
    return _calls(tree, LIBRARIES, _FILE_CALLS, (_FILE_HOME,), "only log/storage_posix.cpp opens, writes and syncs files")


def no_mmap(tree):
    """No file is mapped: one that shrinks would end the process."""
    return _calls(tree, (*LIBRARIES, "samples"), _MMAP, ("-",), "files are read, never mapped")


def manners(tree):
    """A library never ends its host and installs no handlers."""
    return _calls(tree, LIBRARIES, _MANNERS, ("-",), "a library has no exit, abort or signal handler")


def sleeps(tree):
    """Waiting is executor.wait_until or an activity's next step."""
    return _calls(tree, (*LIBRARIES, "samples"), _SLEEPS, _THREAD_HOMES, "wait on the executor, do not sleep")


def macros(tree):
    """No macros of ours, and every header says #pragma once."""
    for path in tree.cpp():
        for line, match in tree.matches(path, r"(?m)^[ \t]*#[ \t]*define[ \t]+(\w+)"):
            yield Finding(path, line, f"macro {match.group(1)}: use constexpr, a template or std::source_location")
        if path.endswith(".hpp") and not re.search(r"(?m)^#pragma once$", tree.files[path]):
            yield Finding(path, 1, "a header says #pragma once")


_CONSTANT = r"(?m)^(?:inline |static )?const(?:expr|init)? [^=;({\n]*?\b(k[A-Z]\w*)\s*(?:\[\w*\]\s*)?[={]"


def hidden_constants(tree):
    """A source's own constant is not called like one of a header of its library: it would hide that one, also from headers that are
    included later, where several sources are compiled as one (cmake/LungoTargets.cmake)."""
    known = {}
    for path in tree.headers((*LIBRARIES, "samples")):
        for _, match in tree.matches(path, _CONSTANT):
            known[path.split("/")[0], match.group(1)] = path
    for path in tree.cpp((*LIBRARIES, "samples")):
        if path.endswith(".hpp"):
            continue
        for line, match in tree.matches(path, _CONSTANT):
            header = known.get((path.split("/")[0], match.group(1)))
            if header:
                yield Finding(path, line, f"{match.group(1)} is also a constant of {header}")


# A lambda with a capture: `[` that does not subscript, a non-empty capture, then parameters, a template head or a body.
_CAPTURING = r"(?<![\w\])\[])\s*\[(?!\[|\s*\])[^\[\]]+\]\s*(?=[({<]|mutable\b)"
_AGGREGATE = r"(?:\b[A-Z]\w*|[(,=]\s*)\s*\{\s*\.|\b(?:[a-z_]\w*::)*[A-Z]\w*\s*\{(?!\s*\})"


def coroutine_traps(tree):
    """What g++ 12 destroys twice inside a co_await expression, and captures that die at the first suspension."""
    for path in tree.cpp():
        code = tree.code(path)
        if "co_await" not in code and "co_return" not in code:
            continue
        for line, match in tree.matches(path, r"\bco_await\b"):
            expression = code[match.end() : _expression_end(code, match.end())]
            if re.search(_CAPTURING, expression):
                yield Finding(path, line, "a capturing lambda inside a co_await expression: name it first")
            if re.search(_AGGREGATE, expression):
                yield Finding(path, line, "an aggregate temporary inside a co_await expression: name it, then move it")
        for line, match in tree.matches(path, _CAPTURING):
            body = code.find("{", match.end())
            if body >= 0 and re.search(r"\bco_(?:await|return|yield)\b", code[body : _closing(code, body)]):
                yield Finding(path, line, "a capturing lambda is a coroutine: its captures die at the first suspension")


def _expression_end(code, begin):
    """Where the expression that starts at `begin` ends: a semicolon, or the bracket that encloses it."""
    depth = 0
    for index in range(begin, len(code)):
        if code[index] in "([{":
            depth += 1
        elif code[index] in ")]}":
            depth -= 1
        if depth < 0 or (depth == 0 and code[index] == ";"):
            return index
    return len(code)


def _closing(code, begin):
    """Index of the brace that closes the one at `begin`."""
    depth = 0
    for index in range(begin, len(code)):
        depth += {"{": 1, "}": -1}.get(code[index], 0)
        if depth == 0:
            return index
    return len(code)
