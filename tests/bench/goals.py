"""What a figure has to be, and the line that says whether it was."""

import json
from typing import NamedTuple


class Goal(NamedTuple):
    text: str
    holds: object  # called with (our figure, its ratio to the peer's)


def at_least(figure):
    return Goal(f">= {figure}", lambda ours, _: ours >= figure)


def at_most(figure):
    return Goal(f"<= {figure}", lambda ours, _: ours <= figure)


def ratio_at_least(ratio):
    return Goal(f">= {ratio} x the peer's", lambda _, got: got >= ratio)


def ratio_at_most(ratio):
    return Goal(f"<= {ratio} x the peer's", lambda _, got: got <= ratio)


PEERS = ("rocksdb", "lmdb", "sqlite")
AHEAD_OF_PEERS = tuple((peer, ratio_at_least(1.0)) for peer in PEERS)
BESIDE_PEERS = tuple((peer, None) for peer in PEERS)

# The log's figures by lungo-bench-log's names: (peer or None, goal). Without a goal a peer is there to be compared with.
LOG = {
    "append.500_written": (
        (None, at_least(10_000_000)),
        ("raw", ratio_at_least(0.55)),
        ("raw_reserved", None),
        ("lmdb", ratio_at_least(1.0)),
        ("rocksdb", ratio_at_least(5.0)),
        ("sqlite", ratio_at_least(1.0)),
    ),
    "append.one_async_written": (
        (None, at_least(6_000_000)),
        ("raw", None),
        ("rocksdb", ratio_at_least(1.0)),
        ("lmdb", None),  # these two commit 64 at once
        ("sqlite", None),
    ),
    "append.one_waiting_written": (
        (None, at_least(1_000_000)),
        ("raw", None),
        *AHEAD_OF_PEERS,
    ),
    "append.1_kib_written": (
        ("raw", ratio_at_least(0.5)),
        ("raw_pages", None),
        *AHEAD_OF_PEERS,
    ),
    "synced.latency.p50": (
        ("raw", ratio_at_most(1.15)),
        ("raw_two_files", None),
        ("rocksdb", ratio_at_most(1.0)),
        ("lmdb", ratio_at_most(1.0)),
        ("sqlite", ratio_at_most(1.0)),
    ),
    "synced.latency.p99": (("raw", ratio_at_most(1.5)), ("raw_two_files", None), *BESIDE_PEERS),
    "synced.one": (("raw", None), *AHEAD_OF_PEERS),
    "synced.500": (("raw", None), *AHEAD_OF_PEERS),
    "synced.64_threads": (("one thread", ratio_at_least(12.0)), ("raw", None), *AHEAD_OF_PEERS),
    "synced.64_outstanding": (
        ("one thread", ratio_at_least(25.0)),
        ("raw", None),
        *BESIDE_PEERS,  # which commit 64 at once
    ),
    "scan.decoded": (
        (None, at_least(35_000_000)),
        *AHEAD_OF_PEERS,
        ("raw", None),
    ),
    "scan.checked": ((None, at_least(3_000)), ("raw", None), *AHEAD_OF_PEERS),
    "scan.cold": (("raw", ratio_at_least(0.8)), *AHEAD_OF_PEERS),
    "recovery.scan": (
        (None, at_least(1_500)),
        ("raw", None),
        *BESIDE_PEERS,  # which open 1.6 MB, so that what an opening takes at least counts for more
    ),
    "recovery.scan_singles": ((None, at_least(1_500)), ("raw", None)),
    "recovery.unsynced": ((None, at_least(1_500)), ("raw", None)),  # written once more: the disk says how fast
    "partitions.open_1000": ((None, at_most(1_000)),),
    "partitions.open_idle": ((None, None),),
    "partitions.first_read": ((None, None),),
    "partitions.idle_memory": ((None, at_most(4_096)),),
    "partitions.touched_memory": ((None, at_most(65_536)),),
    "partitions.touched_stream_memory": ((None, at_most(65_536)),),
    "streams.number": ((None, None),),
    "streams.disk": ((None, None),),  # half a million streams prove nothing of ten
    "streams.disk_of_10_million": ((None, at_most(400)),),
    "streams.files": ((None, None),),
    "streams.resident_appended": ((None, at_most(64)),),
    "streams.resident_looked_up": ((None, at_most(64)),),
    "streams.resident_reopened": ((None, at_most(64)),),
    "streams.append": ((None, None),),
    "streams.settled": ((None, None),),
    "streams.head": ((None, None), ("reopened", None)),
    "roll.latency.p50": (("raw", None),),
    "roll.latency.p90": (("raw", ratio_at_most(5.0)),),  # of so few rolls the 99th percentile is the worst
    "paced.latency.p99": ((None, at_most(1_000)), ("raw", None), *BESIDE_PEERS),
    "paced.latency.p99.9": (("raw", ratio_at_most(2.0)),),
}


def report(case, ours, unit, goal, peer=None, peer_figure=None, ratio=None):
    """`ratio` is for those who know it better than by the two figures: as the median over rounds."""
    if ratio is None and peer_figure:
        ratio = ours / peer_figure
    line = {
        "case": case,
        "ours": ours,
        "unit": unit,
        "peer": peer,
        "peer_figure": peer_figure,
        "ratio": None if ratio is None else round(ratio, 2),
        "goal": goal.text if goal else None,
        "met": goal.holds(ours, ratio) if goal else None,
    }
    print(json.dumps(line), flush=True)
