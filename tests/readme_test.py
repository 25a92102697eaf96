#!/usr/bin/env python3
"""Runs the README: every `console` block in a fresh directory of its own, against what it claims to print.

A block is a shell session: lines that begin with "$ " are typed, the others are what the command prints. A command
without output lines may print what it likes. Every command must end with 0. The first C++ block must be
apps/examples/greeter.cc, each other one a part of a file there.
Started from the top of the tree by ./run test, when everything is built; ports that the README names must be free.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Would start the whole test run again from within it.
NOT_HERE = ("./run test", "./run gate")


def blocks(text, language):
    return re.findall(r"^```" + language + r"\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(block):
    """Pairs of a command and the lines that it is said to print."""
    result = []
    for line in block.splitlines():
        if line.startswith("$ "):
            result.append((line[2:], []))
        else:
            result[-1][1].append(line)
    return result


def run_block(block):
    """One bash for the whole block, as at a terminal, so that jobs and variables last."""
    with tempfile.TemporaryDirectory(prefix="troupe-readme.") as scratch:
        script = ["set -m", f"cd {scratch}"]
        script.append(f"ln -s {ROOT}/bazel-bin bazel-bin")
        # Not a link: it works in the folder in which it stands.
        script.append(f"printf '#!/bin/sh\\nexec {ROOT}/run \"$@\"\\n' >run; chmod +x run")
        for command, _ in commands(block):
            script.append("echo '<<<begin'")
            script.append(command)
            script.append("echo \"<<<end $?\"")
            if command.endswith("&"):
                # Typed by a person, the next command comes later than this one serves.
                script.append(f"for _ in $(seq 300); do {serves(command)} >/dev/null 2>&1 && break; sleep 0.1; done")
        script.append("kill $(jobs -p) 2>/dev/null; wait")
        done = subprocess.run(["bash", "-c", "\n".join(script)], capture_output=True, text=True, timeout=600,
                              stdin=subprocess.DEVNULL)
        return re.findall(r"<<<begin\n(.*?)<<<end (\d+)\n", done.stdout, re.DOTALL), done.stderr


def serves(command):
    """The shell's test of whether what was started in the background has come up."""
    endpoint = re.search(r"--listen=(\S+)", command)
    if endpoint:
        return f"bazel-bin/apps/troupe --endpoint={endpoint.group(1)} status"
    # Without a connection, which a chat would announce: somebody listens at that port.
    return "grep -q ':%04X 00000000:0000 0A' /proc/net/tcp" % int(re.search(r"--port=(\d+)", command).group(1))


def without_ids(text):
    """Nor with times since something, at the end of a line."""
    return re.sub(r"\t\d+ m?s$", "\t<time>", re.sub(r"\b[0-9a-f]{32}\b", "<id>", text), flags=re.MULTILINE)


def main():
    readme = (ROOT / "README.md").read_text()
    problems = []
    ran = 0
    for block in blocks(readme, "console"):
        if any(command.startswith(NOT_HERE) for command, _ in commands(block)):
            continue
        outputs, errors = run_block(block)
        for index, (command, expected) in enumerate(commands(block)):
            ran += 1
            if index >= len(outputs):
                problems.append(f"$ {command}\n  did not run\n{errors}")
                continue
            printed, status = outputs[index]
            if status != "0":
                problems.append(f"$ {command}\n  exit code {status}\n{errors}")
            if expected and without_ids(printed.strip()) != without_ids("\n".join(expected).strip()):
                problems.append(f"$ {command}\n  printed:\n{printed}  the README says:\n" + "\n".join(expected) + errors)
    if ran < 5:
        problems.append(f"only {ran} commands found in README.md")
    first, *others = blocks(readme, "cpp")
    if first != (ROOT / "apps/examples/greeter.cc").read_text():
        problems.append("the first C++ example of README.md is not apps/examples/greeter.cc")
    examples = [file.read_text() for file in (ROOT / "apps/examples").glob("*.cc")]
    for block in others:
        if not any(block in example for example in examples):
            problems.append("README.md shows C++ that no file of apps/examples has:\n" + block)
    for target in re.findall(r"\]\(([^)#:]+)\)", readme):
        if not (ROOT / target).exists():
            problems.append(f"README.md links to {target}, which is not there")
    print("\n".join(problems) or f"{ran} commands run")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
