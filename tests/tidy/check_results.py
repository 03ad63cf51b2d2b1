"""Tells of ctest's result files which tests failed, with the ends of what they said, and which were skipped without leave.

usage: check_results.py ALLOWED_SKIPS RESULTS.xml...

Ends with 1 when there is something to tell, or no results at all. Prints how many crash states the tests have seen, and how long
that took, where there were any (tests/support/crash_states.cpp).
"""

import os
import re
import sys
import xml.etree.ElementTree as ElementTree

LINES_OF_A_FAILURE = 40


def allowed_names(path):
    with open(path, encoding="utf-8") as lines:
        stripped = (line.strip() for line in lines)
        return {line for line in stripped if line and not line.startswith("#")}


def is_skipped(case):
    """Skipped or disabled, or one that ctest could not start."""
    return case.get("status") in ("notrun", "disabled") or case.find("skipped") is not None


def faults(path, allowed):
    """A text for each test of one result file that failed, or was skipped without being allowed to."""
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = case.get("name")
        if is_skipped(case):
            if name not in allowed:
                yield f"skipped, but not allowed to be: {name}"
        elif case.get("status") == "fail":
            said = (case.findtext("system-out") or "").rstrip().split("\n")
            yield "\n".join([f"failed after {case.get('time')} s: {name}", *(f"    {line}" for line in said[-LINES_OF_A_FAILURE:])])


def crash_states(path):
    """Distinct ones, and the seconds of each test that has seen some."""
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        seen = re.search(r"(\d+) distinct states, \d+ looked at, in ([\d.]+) s", case.findtext("system-out") or "")
        if seen:
            yield int(seen[1]), float(seen[2])


def main(allowed_file, result_files):
    allowed = allowed_names(allowed_file)
    told = [] if result_files else ["no test results to look at"]
    for path in result_files:
        told += faults(path, allowed) if os.path.exists(path) else [f"no test results, so it was not built: {path}"]
    seen = [states for path in result_files if os.path.exists(path) for states in crash_states(path)]
    if seen:
        print(f"crash states: {sum(count for count, _ in seen)} distinct ones in {sum(seconds for _, seconds in seen):.0f} s of tests")
    for text in told:
        print(text, file=sys.stderr)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
