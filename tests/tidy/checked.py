"""Remembers which sources a checker had nothing to say of, so that the next run looks only at what has changed.

A source is known by its preprocessed text with comments and macros, the checker's command and version, and its configuration.
What is remembered lies beside ccache's files; without ccache nothing is. A source that was refused is never remembered.
"""

import functools
import hashlib
import os
import subprocess
import time

KEPT_DAYS = 30


@functools.cache
def version_of(program):
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout


@functools.cache
def folder():
    """Where the marks lie, one empty file each; None without ccache."""
    try:
        place = subprocess.run(["ccache", "-k", "cache_dir"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    path = os.path.join(place, "lungo-checked")
    os.makedirs(path, exist_ok=True)
    oldest = time.time() - KEPT_DAYS * 86400
    for entry in os.scandir(path):
        if entry.stat().st_mtime < oldest:
            os.unlink(entry.path)
    return path


def mark_of(root, identity, preprocess, text=None):
    """The path of the mark for what `preprocess` prints of this source, wherever the tree lies; None when it can't be known."""
    if folder() is None:
        return None
    done = subprocess.run([*preprocess, "-E", "-CC", "-dD"], input=text and text.encode(), capture_output=True, check=False)
    if done.returncode:
        return None
    key = hashlib.sha256("\0".join(identity).replace(root, "").encode())
    key.update(done.stdout.replace(root.encode(), b""))
    return os.path.join(folder(), key.hexdigest())


def messages(mark, check):
    """What `check` says, or nothing at once when it had nothing to say of the same source before."""
    if mark and os.path.exists(mark):
        os.utime(mark)
        return ""
    said = check()
    if mark and not said:
        with open(mark, "w", encoding="utf-8"):
            pass
    return said
