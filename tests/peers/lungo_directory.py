"""Reads a data directory from the outside: its topics (`lungo.topics`) and the committed ends that the writer publishes (`tail`).

Formats: docs/reference/directory.md.
"""

import os
import struct

_MASK = (1 << 64) - 1
_HEADER = struct.Struct("<8sI")
_PLACES_AT = 64
_PLACE = struct.Struct("<QQQQ")  # start, its complement, end, its complement


def tail_places(directory):
    """{(topic, partition): place in `tail`}, as lungo.topics says."""
    found = {}
    topic = None
    with open(os.path.join(directory, "lungo.topics"), encoding="utf-8") as lines:
        for line in lines:
            name, _, value = line.rstrip("\n").partition("=")
            if name == "topic":
                topic = value
            elif name == "tail.places":
                runs = [tuple(map(int, run.split("+"))) for run in value.split(",")]
                places = [first + place for first, count in runs for place in range(count)]
                found.update({(topic, number): place for number, place in enumerate(places)})
    return found


def committed_ends(directory):
    """{(topic, partition): committed end} as of now; what is being written at this moment is left out.

    OSError before the writer has made its files; ValueError for a format that this reader does not know."""
    places = tail_places(directory)
    with open(os.path.join(directory, "tail"), "rb") as file:
        page = file.read()
    magic, major = _HEADER.unpack_from(page)
    if magic != b"lungtail" or major != 2:
        raise ValueError(f"{directory}/tail: magic {magic!r}, major {major}")
    ends = {}
    for name, place in places.items():
        position = _PLACES_AT + _PLACE.size * place
        if position + _PLACE.size <= len(page):
            _, _, end, complement = _PLACE.unpack_from(page, position)
            if end ^ complement == _MASK:
                ends[name] = end
    return ends


def partition_folder(directory, name):
    """Where the partition's segments lie."""
    return os.path.join(directory, f"{name[0]}-{name[1]}")
