"""Rules over #include lines: the arrows between folders, the homes of third-party libraries, what public headers expose."""

import os
import re

from source import LIBRARIES, Finding

# Which folders a folder may see besides itself (design: samples -> projections -> framework -> log <- cluster).
ARROWS = {
    "log": (),
    "framework": ("log",),
    "projections": ("framework", "log"),
    "cluster": ("log",),
    "samples": ("projections", "framework", "log"),
}

# Where a third-party header may be included: (what the name begins with, path prefixes). A sample is an application and brings
# what it needs, but stores and clients have one home each.
HOMES = (
    ("spdlog/", ("log/", "samples/")),
    ("zstd", ("log/", "samples/")),
    ("lz4", ("log/", "samples/")),
    ("snappy", ("log/", "samples/")),
    ("zlib.h", ("log/", "samples/")),
    ("boost/serialization/", ("framework/",)),
    ("boost/json", ("log/tools/", "framework/", "projections/", "cluster/", "samples/")),
    ("openssl/", ("framework/", "cluster/", "samples/")),
    ("thrift/", ("framework/", "cluster/")),
    ("sqlite3", ("projections/",)),
    ("rocksdb/", ("projections/",)),
    ("boost/beast", ("projections/", "cluster/", "samples/web_tracker/")),
    ("boost/asio", ("cluster/", "samples/web_tracker/")),
    ("zookeeper/", ("cluster/",)),
    ("librdkafka/", ("cluster/client/rdk_handles.hpp",)),
    ("client/rdk_handles.hpp", ("cluster/client/rdk_",)),
    ("prometheus/", ("cluster/http/", "samples/")),
    ("CLI/", ("log/tools/", "framework/tools/", "projections/tools/", "cluster/tools/", "samples/")),
)

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def includes(tree, path):
    """(line, '<' or '"', name) of each include."""
    text = tree.files[path]
    for match in _INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)


def is_composition_root(path):
    return os.path.basename(path) == "main.cpp" and (path.startswith("samples/") or "/tools/" in path or path == "cluster/main.cpp")


def arrows(tree):
    """A folder sees only the folders that its arrows point to, and those only through <lungo/FOLDER/...>. A composition root sees
    all, and what another folder's tools/ has for it."""
    for path in tree.cpp(tuple(ARROWS)):
        folder = path.split("/")[0]
        for line, quote, name in includes(tree, path):
            if name.startswith("tests/") or "/tests/" in name:
                yield Finding(path, line, f"{folder}/ includes {name}: nothing outside tests/ includes tests/")
            elif quote == '"' and not _inside(tree, path, folder, name) and not _is_for_composing(tree, path, name):
                yield Finding(path, line, f'"{name}" is not in {folder}/: other folders are included as <lungo/FOLDER/...>')
            elif quote == "<" and name.startswith("lungo/"):
                other = name.split("/")[1]
                if other != folder and other not in ARROWS[folder] and not is_composition_root(path):
                    yield Finding(path, line, f"{folder}/ must not include {name}: no arrow leads from {folder} to {other}")


def _is_for_composing(tree, path, name):
    return is_composition_root(path) and "/tools/" in name and name in tree.files


def _inside(tree, path, folder, name):
    """Whether the quoted name is a file of the folder: beside the including file, or under the folder or its samples."""
    parents = path.split("/")[:-1]
    places = {"/".join(parents[:depth]) for depth in range(1, len(parents) + 1)}
    candidates = {os.path.normpath(os.path.join(place, name)) for place in places}
    return any(found in tree.files and found.split("/")[0] == folder for found in candidates)


def third_party_homes(tree):
    """Each third-party library is included in its home only."""
    for path in tree.cpp(tuple(ARROWS)):
        for line, _, name in includes(tree, path):
            for prefix, homes in HOMES:
                if name.startswith(prefix) and not path.startswith(homes):
                    yield Finding(path, line, f"<{name}> belongs to {', '.join(homes)}")


def public_headers(tree):
    """Public headers expose the standard library, Lungo and Boost.System; codec_boost.hpp also Boost.Serialization."""
    for path in tree.headers(LIBRARIES):
        if "/include/lungo/" not in path:
            continue
        for line, quote, name in includes(tree, path):
            allowed = re.fullmatch(r"[a-z_0-9]+", name) or name.startswith(("lungo/", "boost/system/"))
            if path.endswith("/codec_boost.hpp"):  # Boost.Serialization's archives answer in MPL's booleans
                allowed = allowed or name.startswith(("boost/serialization/", "boost/mpl/bool.hpp"))
            if quote == '"' or not allowed:
                yield Finding(path, line, f"a public header must not expose {name}")
