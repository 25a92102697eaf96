"""Counts the test cases of one `bazel test` from its build events, and tells of those that failed.

Prints, for each failure, its name, the end of its log and the command that runs it again. Writes two lines to the
file --counts: "PASSED FAILED", and a summary by folder. A shell test is one case. A target that did not build or
died without a result is one failed case, so that nothing which should have run is silently left out.
"""

import argparse
import collections
import json
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree

LOG_LINES = 30


class Target:
    """The last attempt of one test target."""

    def __init__(self, label):
        self.label = label
        self.passed = []
        self.failed = []  # (case, what it said)
        self.skipped = 0


def path_of(uri):
    return urllib.parse.unquote(urllib.parse.urlparse(uri).path)


def read_text(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def log_of_case(log, case):
    """The part of a GoogleTest log that belongs to one case, or all of it; cut to its end."""
    own = re.search(r"\[ RUN      \] %s\n(.*?\[  FAILED  \][^\n]*)" % re.escape(case), log, re.DOTALL)
    lines = (own.group(1) if own else log).rstrip().splitlines()
    return lines[-LOG_LINES:]


def read_result(target, files, status):
    log = read_text(files.get("test.log", ""))
    try:
        root = ElementTree.parse(files["test.xml"]).getroot()
        cases = list(root.iter("testcase"))
    except (KeyError, OSError, ElementTree.ParseError):
        cases = []
    failed_before = len(target.failed)
    for case in cases:
        # A script's or a crashed program's report is Bazel's own: one case without a class.
        name = "%s.%s" % (case.get("classname"), case.get("name")) if case.get("classname") else None
        if case.find("failure") is not None or case.find("error") is not None:
            target.failed.append((name, log_of_case(log, name or "")))
        elif case.get("status") == "notrun" or case.get("result") in ("skipped", "suppressed"):
            target.skipped += 1
        else:
            target.passed.append(name)
    # A sanitizer's complaint at exit, a crash or a timeout comes after, or instead of, the report of the cases.
    if status != "PASSED" and len(target.failed) == failed_before:
        target.failed.append((None, ["(%s)" % status.lower()] + log_of_case(log, "")))


def read_events(path):
    """The test targets that ran, by label, and the labels of the targets that could not be built."""
    results = {}  # (label, run, shard) -> (files, status): a later attempt takes the place of an earlier one
    unbuilt = set()
    for line in read_text(path).splitlines():
        event = json.loads(line)
        event_id = event["id"]
        if "testResult" in event_id and "testResult" in event:
            which = event_id["testResult"]
            files = {
                output["name"]: path_of(output["uri"])
                for output in event["testResult"].get("testActionOutput", [])
                if "uri" in output
            }
            key = (which["label"], which.get("run", 1), which.get("shard", 1))
            results[key] = (files, event["testResult"].get("status", "NO_STATUS"))
        elif "targetCompleted" in event_id:
            if not event.get("completed", {}).get("success", False):
                unbuilt.add(event_id["targetCompleted"]["label"])
    targets = {}
    for (label, _, _), (files, status) in sorted(results.items()):
        target = targets.setdefault(label, Target(label))
        read_result(target, files, status)
    return targets, sorted(unbuilt - set(targets))


def print_failure(config, label, case, lines):
    print("FAILED  %s%s" % (label, "  " + case if case else ""))
    for line in lines:
        print("    " + line)
    test_filter = " --test_filter='%s'" % case if case else ""
    print("  run it again: bazel test --config=%s %s%s --test_output=all" % (config, label, test_filter))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--events", required=True)
    parser.add_argument("--bazel-status", type=int, required=True)
    parser.add_argument("--counts", required=True)
    arguments = parser.parse_args()

    targets, unbuilt = read_events(arguments.events)
    passed = collections.Counter()
    failed = collections.Counter()
    skipped = 0
    for target in targets.values():
        folder = target.label[2:].split("/")[0].split(":")[0]
        passed[folder] += len(target.passed)
        failed[folder] += len(target.failed)
        skipped += target.skipped
        for case, lines in target.failed:
            print_failure(arguments.config, target.label, case, lines)
    for label in unbuilt:
        failed[label[2:].split("/")[0].split(":")[0]] += 1
        print("FAILED  %s did not build" % label)
        print("  build it again: bazel build --config=%s %s" % (arguments.config, label))
    # 0 all passed, 3 some failed, 4 no test to run. Anything else without a failure to show for it is one of its own.
    if arguments.bazel_status not in (0, 3, 4) and not sum(failed.values()):
        failed["bazel"] += 1
        print("FAILED  bazel test --config=%s ended with status %d" % (arguments.config, arguments.bazel_status))

    parts = []
    for folder in sorted(set(passed) | set(failed)):
        part = "%s %d" % (folder, passed[folder])
        parts.append(part + (" (%d failed)" % failed[folder] if failed[folder] else ""))
    if skipped:
        parts.append("skipped %d" % skipped)
    with open(arguments.counts, "w") as file:
        file.write("%d %d\n%s\n" % (sum(passed.values()), sum(failed.values()), "  ".join(parts) or "no tests"))


if __name__ == "__main__":
    main()
