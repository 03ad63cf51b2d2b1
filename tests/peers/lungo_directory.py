"""Reads a data directory from the outside: its topics (`lungo.topics`) and the committed ends that the writer publishes (`tail`).

Formats: docs/reference/directory.md.
"""

import os
import struct

_MASK = (1 << 64) - 1


def topic_partitions(directory):
    """[(topic, partition)] in the order of lungo.topics, which is that of the ends in `tail`."""
    found = []
    topic = None
    with open(os.path.join(directory, "lungo.topics"), encoding="utf-8") as lines:
        for line in lines:
            name, _, value = line.rstrip("\n").partition("=")
            if name == "topic":
                topic = value
            elif name == "partitions":
                found += [(topic, number) for number in range(int(value))]
    return found


def committed_ends(directory):
    """{(topic, partition): committed end} as of now; what is being written at this moment is left out."""
    names = topic_partitions(directory)
    with open(os.path.join(directory, "tail"), "rb") as file:
        page = file.read()
    magic, major = struct.unpack_from("<8sI", page)
    if magic != b"lungtail" or major != 1:
        raise ValueError(f"{directory}/tail: magic {magic!r}, major {major}")
    ends = {}
    for index, name in enumerate(names):
        position = 64 + 16 * index
        if position + 16 <= len(page):
            value, complement = struct.unpack_from("<QQ", page, position)
            if value ^ complement == _MASK:
                ends[name] = value
    return ends


def partition_folder(directory, name):
    """Where the partition's segments lie."""
    return os.path.join(directory, f"{name[0]}-{name[1]}")
