#!/usr/bin/env python3
"""Runs the README: every `console` block in a fresh directory of its own, against what it claims to print.

A block is a shell session: lines that begin with "$ " are typed, the others are what the command prints. A command
without output lines may print what it likes. Every command must end with 0. The C++ block must be apps/hello_actor.cc.
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
                endpoint = re.search(r"--listen=(\S+)", command).group(1)
                script.append(f"for _ in $(seq 300); do bazel-bin/apps/troupe --endpoint={endpoint} status "
                              ">/dev/null 2>&1 && break; sleep 0.1; done")
        script.append("kill $(jobs -p) 2>/dev/null; wait")
        done = subprocess.run(["bash", "-c", "\n".join(script)], capture_output=True, text=True, timeout=600,
                              stdin=subprocess.DEVNULL)
        return re.findall(r"<<<begin\n(.*?)<<<end (\d+)\n", done.stdout, re.DOTALL), done.stderr


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
    if [(ROOT / "apps/hello_actor.cc").read_text()] != blocks(readme, "cpp"):
        problems.append("the C++ example of README.md is not apps/hello_actor.cc")
    for target in re.findall(r"\]\(([^)#:]+)\)", readme):
        if not (ROOT / target).exists():
            problems.append(f"README.md links to {target}, which is not there")
    print("\n".join(problems) or f"{ran} commands run")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
