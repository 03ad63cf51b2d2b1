"""What a figure has to be, and the line that says whether it was."""

import json
from typing import NamedTuple


class Goal(NamedTuple):
    text: str
    holds: object  # called with (ours, peer's figure)


def at_least(figure):
    return Goal(f">= {figure}", lambda ours, _: ours >= figure)


def at_most(figure):
    return Goal(f"<= {figure}", lambda ours, _: ours <= figure)


def ratio_at_least(ratio):
    return Goal(f">= {ratio} x the peer's", lambda ours, peer: ours >= ratio * peer)


def ratio_at_most(ratio):
    return Goal(f"<= {ratio} x the peer's", lambda ours, peer: ours <= ratio * peer)


def report(case, ours, unit, goal, peer=None, peer_figure=None):
    line = {
        "case": case,
        "ours": ours,
        "unit": unit,
        "peer": peer,
        "peer_figure": peer_figure,
        "ratio": round(ours / peer_figure, 2) if peer_figure else None,
        "goal": goal.text,
        "met": goal.holds(ours, peer_figure),
    }
    print(json.dumps(line), flush=True)
