"""Nodes under strace, and what its trace says of them."""

import codecs
import collections
import re
import subprocess


def strace(trace, *expressions, path=None):
    """The command before a program that writes the calls in `expressions` to the file `trace`; only those on the file
    `path` if it is given. Fails where nothing can be traced."""
    probe = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True)
    assert probe.returncode == 0, (
        "strace cannot trace here, so nothing is known about the disk; allow ptrace (docker run --cap-add=SYS_PTRACE) "
        "and run this again: " + probe.stderr)
    command = ["strace", "-f", "-y", "-s", "65536", "-o", trace]
    if path is not None:
        command += ["-P", path]
    for expression in expressions:
        command += ["-e", expression]
    return command


# One system call. `entered` and `left` are places in the trace, in the order in which things happened. `path` is that
# of its first argument, a descriptor; `data` its strings, joined; `result` what it returned, None if it never did.
Call = collections.namedtuple("Call", "name path data entered left result")

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?')


def _make_call(name, arguments, entered, left):
    path = re.match(r"\d+<(.*?)>", arguments)
    data = b""
    for text, cut in _STRING.findall(arguments):
        assert not cut, "strace has cut a string"
        data += codecs.decode(text, "unicode_escape").encode("latin-1")
    result = re.search(r"\) += (-?\d+)[^=]*$", arguments)
    return Call(name, path.group(1) if path else "", data, entered, left, int(result.group(1)) if result else None)


def read_calls(trace):
    """The calls in a trace of all threads, in the order in which they were entered."""
    calls = []
    under_way = {}  # thread -> (name, the arguments so far, its place)
    for place, line in enumerate(trace.splitlines()):
        thread, _, rest = line.partition(" ")
        rest = rest.strip()
        resumed = re.match(r"<\.\.\. (\w+) resumed>(.*)", rest)
        begun = re.match(r"(\w+)\((.*)", rest)
        if resumed and thread in under_way:
            name, arguments, entered = under_way.pop(thread)
            calls.append(_make_call(name, arguments + resumed.group(2), entered, place))
        elif begun and rest.endswith("<unfinished ...>"):
            under_way[thread] = (begun.group(1), begun.group(2)[:-len("<unfinished ...>")], place)
        elif begun:
            calls.append(_make_call(begun.group(1), begun.group(2), place, place))
    for name, arguments, entered in under_way.values():
        calls.append(_make_call(name, arguments, entered, None))
    return sorted(calls, key=lambda call: call.entered)


# A part of an HTTP/2 conversation; `place` is where in the trace it was whole (received) or began to go (sent).
Frame = collections.namedtuple("Frame", "socket kind flags stream payload place")

DATA, HEADERS = 0, 1
END_STREAM = 1
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def read_frames(calls, name):
    """The frames that a node received (`name` recvmsg) or sent (sendmsg), in order."""
    frames = []
    waiting = collections.defaultdict(bytes)  # socket -> bytes that are no whole frame yet
    begun = {}  # socket -> where the first of them stood
    for call in calls:
        if call.name != name or call.result is None or call.result <= 0:
            continue
        # A call may send less than it was asked to, and then sends the rest again.
        place = call.left if name == "recvmsg" else call.entered
        begun.setdefault(call.path, place)
        buffer = waiting[call.path] + call.data[:call.result]
        if buffer.startswith(_PREFACE):
            buffer = buffer[len(_PREFACE):]
        while len(buffer) >= 9 and len(buffer) >= 9 + int.from_bytes(buffer[:3], "big"):
            size = 9 + int.from_bytes(buffer[:3], "big")
            stream = int.from_bytes(buffer[5:9], "big") & 0x7fffffff
            at = place if name == "recvmsg" else begun[call.path]
            frames.append(Frame(call.path, buffer[3], buffer[4], stream, buffer[9:size], at))
            buffer = buffer[size:]
            begun[call.path] = place
        waiting[call.path] = buffer
        if not buffer:
            del begun[call.path]
    return frames
