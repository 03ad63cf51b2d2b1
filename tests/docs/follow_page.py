"""Follows one page as a reader would who has the programs on the PATH.

usage: follow_page.py PAGE PROGRAMS     PROGRAMS: the folder of `lungo` and its tools

The home is new and empty. Exit status 1 with PAGE:LINE for the first thing that is not as the page says.
"""

import os
import sys
import tempfile

from follow import PATH, Follower
from pages import PageError


def main(page, programs):
    with tempfile.TemporaryDirectory(prefix="page-") as home, open(page, encoding="utf-8") as file:
        follower = Follower(home, {"PATH": f"{os.path.abspath(programs)}:{PATH}"}, timeout=60)
        try:
            follower.follow(page, file.read())
        except PageError as fault:
            print(fault)
            return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
