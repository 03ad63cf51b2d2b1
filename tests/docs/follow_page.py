"""Follows one page as a reader would who has the programs on the PATH.

usage: follow_page.py PAGE PROGRAMS [PREFIX [CLUSTER]]
                        PROGRAMS: the folder of `lungo` and its tools; PREFIX: where the library is installed, for a page that
                        compiles something; CLUSTER: the folder of kafka_cluster.py, whose address is $KAFKA then. Without it
                        commands that use that are left out

The home is new and empty. Exit status 1 with PAGE:LINE for the first thing that is not as the page says.
"""

import os
import sys
import tempfile

from follow import Follower, environment_for
from pages import PageError


def address_of(cluster):
    with open(os.path.join(cluster, "address"), encoding="utf-8") as file:
        return file.read().strip()


def main(page, programs, prefix=None, cluster=None):
    kafka = address_of(cluster) if cluster else None
    with tempfile.TemporaryDirectory(prefix="page-") as home, open(page, encoding="utf-8") as file:
        environment = environment_for(home)
        environment["PATH"] = f"{os.path.abspath(programs)}:{environment['PATH']}"
        environment |= {name: value for name, value in (("CMAKE_PREFIX_PATH", prefix), ("KAFKA", kafka)) if value}
        follower = Follower(home, environment, timeout=300 if prefix else 60)
        try:
            left_out = follower.follow(page, file.read(), () if kafka else ("KAFKA",))
        except PageError as fault:
            print(fault)
            return 1
        finally:
            follower.end()
        if left_out:
            print(f"{left_out} fences need brokers, and were left out")
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4, 5):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
