"""Fails when ctest's result files tell of a skipped test that is not on the list of allowed ones.

usage: check_skips.py ALLOWED_SKIPS RESULTS.xml...
"""

import sys
import xml.etree.ElementTree


def allowed_names(path):
    with open(path, encoding="utf-8") as lines:
        stripped = (line.strip() for line in lines)
        return {line for line in stripped if line and not line.startswith("#")}


def skipped_names(path):
    """Names of the tests that did not run: skipped or disabled, and those that ctest could not start."""
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        if case.get("status") in ("notrun", "disabled") or case.find("skipped") is not None:
            yield case.get("name")


def main(allowed_file, result_files):
    allowed = allowed_names(allowed_file)
    skipped = [name for path in result_files for name in skipped_names(path)]
    forbidden = sorted(set(skipped) - allowed)
    for name in forbidden:
        print(f"skipped and not in {allowed_file}: {name}", file=sys.stderr)
    if not result_files:
        print("no test results to look at", file=sys.stderr)
    return 1 if forbidden or not result_files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
