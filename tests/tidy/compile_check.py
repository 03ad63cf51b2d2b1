"""Compiles without output what the ordinary build does not see: sources with clang, headers alone.

usage: compile_check.py BUILD_FOLDER coroutines FOLDER COMPILER  each source file of the top-level FOLDER that has coroutines
       compile_check.py BUILD_FOLDER headers FOLDER COMPILER     each header of it that no built source includes first, alone
       compile_check.py BUILD_FOLDER lint FOLDER CLANG_TIDY      each source file, by clang-tidy and the rules of .clang-tidy

The flags come from BUILD_FOLDER/compile_commands.json; what was found well before is not looked at again (checked.py). clang warns of
a discarded co_await of a [[nodiscard]] result, g++ 12 does not; and a header that compiles alone can be included first, anywhere.
Most are included first by their own source, so the ordinary build has shown that of them.
"""

import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
from functools import partial

import checked
from source import Tree

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
CORES = os.cpu_count() or 1
CLANG = "clang++-16"  # preprocesses what clang-tidy 16 reads


def load_flags(build_folder):
    """Flags by source path relative to the root: what is left of the command without compiler, input and output."""
    with open(os.path.join(build_folder, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    flags = {}
    for command in commands:
        words = shlex.split(command["command"])
        start = next(index for index, word in enumerate(words) if word.startswith("-"))
        kept, skip = [], False
        for word in words[start:]:
            if skip or word in ("-o", "-c"):
                skip = word == "-o" or (word == "-c" and not skip)
                continue
            kept.append(word)
        path = os.path.relpath(os.path.join(command["directory"], command["file"]), ROOT)
        flags.setdefault(path, (command["directory"], kept))
    return flags


def has_coroutines(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return re.search(r"\bco_(await|return|yield)\b", file.read()) is not None


def of_folder(flags, folder):
    return {path: entry for path, entry in flags.items() if path.startswith(folder + "/")}


def included_first(tree, flags):
    """The headers of the tree that are the first thing a built source includes."""
    found = set()
    for path, (directory, words) in flags.items():
        first = re.search(r'^[ \t]*#[ \t]*include[ \t]+[<"]([^>"]+)[>"]', tree.files.get(path, ""), re.MULTILINE)
        if not first:
            continue
        searched = [os.path.join(directory, word[2:]) for word in words if word.startswith("-I") and len(word) > 2]
        for place in (os.path.join(ROOT, os.path.dirname(path)), *searched):
            header = os.path.relpath(os.path.join(place, first.group(1)), ROOT)
            if header in tree.files:
                found.add(header)
                break
    return found


def flags_for_header(flags, header):
    """Those of the source nearest to the header: the longest common beginning of their paths."""
    nearest = max(flags, key=lambda path: len(os.path.commonprefix([path, header])))
    return flags[nearest]


def compile_text(compiler, entry, arguments, text=None):
    """Runs the compiler for its messages; returns them, empty when all is well."""
    directory, words = entry
    words = [*words, *(["-Wno-unknown-warning-option"] if "clang" in compiler else []), *arguments]

    def check():
        command = [compiler, "-fsyntax-only", *words]
        done = subprocess.run(command, cwd=directory, input=text, capture_output=True, text=True, check=False)
        return done.stderr if done.returncode or done.stderr else ""

    identity = [compiler, checked.version_of(compiler), *words]
    return checked.messages(checked.mark_of(ROOT, identity, [compiler, *words], text), check)


def lint(clang_tidy, build_folder, path, entry):
    """What clang-tidy says of one source; empty when all is well."""
    extra = "-Wno-unknown-warning-option"
    source = os.path.join(ROOT, path)

    def check():
        command = [clang_tidy, "-p", build_folder, "--quiet", f"--extra-arg={extra}", source]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout or (done.stderr if done.returncode else "")

    with open(os.path.join(ROOT, ".clang-tidy"), encoding="utf-8") as rules:
        identity = [clang_tidy, checked.version_of(clang_tidy), rules.read(), *entry[1]]
    return checked.messages(checked.mark_of(ROOT, identity, [CLANG, *entry[1], extra, source]), check)


def main(build_folder, what, folder, compiler):
    built = load_flags(build_folder)
    flags = of_folder(built, folder)
    if not flags:
        print(f"no source of {folder}/ is built in {build_folder}", file=sys.stderr)
        return 1
    jobs = []  # (path, function that returns the messages)
    if what == "headers":
        tree = Tree.load(ROOT)
        for header in sorted(set(tree.headers((folder,))) - included_first(tree, built)):
            text = f'#include "{os.path.join(ROOT, header)}"\n'
            jobs.append((header, partial(compile_text, compiler, flags_for_header(flags, header), ["-x", "c++", "-"], text)))
    for path, entry in sorted(flags.items()):
        if what == "coroutines" and has_coroutines(path):
            jobs.append((path, partial(compile_text, compiler, entry, [os.path.join(ROOT, path)])))
        elif what == "lint":
            jobs.append((path, partial(lint, compiler, build_folder, path, entry)))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        for (path, _), messages in zip(jobs, pool.map(lambda job: job[1](), jobs)):
            if messages:
                failed += 1
                print(f"--- {path}\n{messages}")
    print(f"{len(jobs)} {what} of {folder}/, {failed} refused by {compiler}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
