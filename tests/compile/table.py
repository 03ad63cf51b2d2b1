"""Compiles accepted.cpp, which must pass, and refused.cpp, in which every type of the table must give its message.

usage: table.py ROOT COMPILER
"""

import os
import subprocess
import sys

WAYS_OUT = "Ways out: serialize(ar, version) with nvp names and codec_boost.hpp, lungo_fields(T&), or lungo_codec<T>"
NO_EVENTS = "lungo: this fold does not say which events it takes: add a public `using Events = lungo::events<...>;`"
NO_STATE = "lungo: this fold has no State: add a public `struct State { ... };`"

# The type that the compiler must name, and what it must say about it.
REFUSED = [
    ("PrivateMembers", "is not an aggregate", WAYS_OUT),
    ("Constructor", "is not an aggregate", WAYS_OUT),
    ("Derived", "has a base class", WAYS_OUT),
    ("CArray", "has a C array member; use std::array", WAYS_OUT),
    ("Reference", "has a reference member", WAYS_OUT),
    ("ExplicitDefault", "with an explicit default constructor", WAYS_OUT),
    ("BitField", "has a bit-field", WAYS_OUT),
    ("ConstMember", "has a const member", WAYS_OUT),
    ("SixtyFive", "has more than 64 fields", WAYS_OUT),
    ("refused::Target*", "is a pointer, and events are values"),
    ("unique_ptr<float", "is a pointer, and events are values"),
    ("string_view", "std::string_view does not own its bytes"),
    ("wchar_t", "it has no portable width"),
    ("long double", "it has no portable width"),
    ("optional<std::optional<short", "is an optional of an optional"),
    ("Truth", "is an enum over bool"),
    ("array<double, 0", "is an array of no elements"),
    ("steady_clock", "is not an aggregate", WAYS_OUT),
    ("Instance<int>", "an event that is an instance of a class template needs"),
    ("elsewhere::Target", "two events of this list have the same event name or alias"),
    ("Heir", "two events of this list have the same event name or alias"),
    ("LacksEvolve", "this fold lists the event but cannot evolve with it"),
    ("Forgotten", "this fold lists the event but cannot evolve with it"),
    ("LacksEvents", NO_EVENTS),
    ("ListsNothing", "lungo: the list of this fold's Events is empty"),
    ("NoList", "lungo: the Events of this fold are no list: write `using Events = lungo::events<...>;`"),
    ("LacksState", NO_STATE),
    ("NeverStarts", "lungo: the State of this fold does not start from nothing"),
    ("EventlessDecider", NO_EVENTS),
    ("StatelessProcess", NO_STATE),
    ("EvolvesACopy", "lungo: this `evolve` changes a copy of the State, which is lost"),
    ("Unanswered", "lungo: this decider has no answer to the command: add a public `static AnEvent decide(const State&"),
    ("Forgotten", "lungo: this decider answers with an event that its Events lack"),
    ("OddKey", "lungo: what `key` gives for the event makes no Key of this projection"),
    ("LacksKey", "lungo: this projection does not say by what its rows are found: add a public `using Key = std::string;`"),
    ("Unspread", "lungo: events of several partitions may make one row of this projection"),
    ("EventlessRows", NO_EVENTS),
]

LINES_NEAR = 8  # the type stands in the lines around the message: "in instantiation of ..."


def compile_source(root, compiler, name):
    unlimited = ["-fmax-errors=0"] if "g++" in compiler and "clang" not in compiler else ["-ferror-limit=0"]
    includes = [f"-I{root}/{folder}/include" for folder in ("log", "framework", "projections")]
    here = os.path.dirname(os.path.abspath(__file__))
    command = [compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-fdiagnostics-color=never", *unlimited, *includes]
    return subprocess.run([*command, os.path.join(here, name)], capture_output=True, text=True, check=False)


def problems_of(output):
    lines = output.replace("\u2018", "'").replace("\u2019", "'").splitlines()
    for type_name, *texts in REFUSED:
        messages = [i for i, line in enumerate(lines) if "error:" in line and all(text in line for text in texts)]
        near = any(
            type_name.replace(" *", "*") in line.replace(" *", "*")
            for i in messages
            for line in lines[max(0, i - LINES_NEAR) : i + LINES_NEAR + 1]
        )
        if not near:
            yield f"no error names {type_name} and says: {' ... '.join(texts)}"


def main(root, compiler):
    accepted = compile_source(root, compiler, "accepted.cpp")
    if accepted.returncode != 0:
        print(accepted.stderr)
        print("accepted.cpp must compile")
    refused = compile_source(root, compiler, "refused.cpp")
    problems = list(problems_of(refused.stderr))
    if problems:
        print(refused.stderr)
    for problem in problems:
        print(problem)
    return 1 if accepted.returncode != 0 or problems or refused.returncode == 0 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
