#!/usr/bin/env python3
"""Which lines of a folder its own tests run, as gcc counts them.

Compiles the folder's sources and tests without optimisation, apart from Bazel, whose own way to coverage needs a
download; runs the tests, and prints the share of lines that ran, of the whole and of the files that have the least.
Headers count, templates as far as somebody instantiates them; tests and what only tests use do not. Fails when a test
fails or the share is below --least.

  tests/tools/coverage.py actor --least=90              some 3 minutes on 2 cores
  tests/tools/coverage.py actor --missing               also every line that did not run
  tests/tools/coverage.py actor --missing --no-build    the same of the last run
"""

import argparse
import collections
import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys

COMPILE = ["g++", "-std=c++20", "-O0", "--coverage", "-fprofile-update=atomic", "-I."]
LIBRARIES = [
    "-Wl,--as-needed", "-lgmock_main", "-lgmock", "-lgtest", "-lglog", "-lpthread", "-labsl_statusor", "-labsl_status",
    "-labsl_str_format_internal", "-labsl_strings", "-labsl_strings_internal", "-labsl_cord", "-labsl_time",
    "-labsl_time_zone", "-labsl_int128", "-labsl_base", "-labsl_raw_logging_internal", "-labsl_throw_delegate",
    "-labsl_bad_optional_access",
]
# What nearly every test includes, read once.
PRECOMPILED = """
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <future>
#include <map>
#include <thread>
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
"""
TEST_SECONDS = 300


def run(command, **options):
    """None, or what the command said when it failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", **options)
    return None if done.returncode == 0 else "%s\n%s" % (" ".join(command), done.stdout[-4000:])


def in_parallel(function, arguments):
    """What failed."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [failure for failure in pool.map(function, arguments) if failure is not None]


def is_newer(path, than):
    return os.path.exists(path) and os.path.getmtime(path) > than


def test_only_files(folder):
    """The files of the targets that are marked testonly."""
    with open(os.path.join(folder, "BUILD.bazel")) as build:
        targets = build.read().split("\n)\n")
    marked = [target for target in targets if "testonly = True" in target]
    return {os.path.join(folder, name) for target in marked for name in re.findall(r'"([\w.]+\.(?:h|cc))"', target)}


def build_and_test(folder, out):
    os.makedirs(out, exist_ok=True)
    # The counts of former runs, and what has been compiled from sources that are gone.
    for path in glob.glob(os.path.join(out, "*")):
        source = os.path.join(folder, os.path.splitext(os.path.basename(path))[0] + ".cc")
        if path.endswith(".gcda") or not os.path.exists(source):
            os.remove(path)
    header = os.path.join(out, "precompiled.h")
    with open(header, "w") as file:
        file.write(PRECOMPILED)
    failures = in_parallel(run, [COMPILE + ["-x", "c++-header", header, "-o", header + ".gch"]])
    headers = max(map(os.path.getmtime, glob.glob(os.path.join(folder, "*.h"))))
    sources = sorted(glob.glob(os.path.join(folder, "*.cc")), key=os.path.getsize, reverse=True)
    object_of = {source: os.path.join(out, os.path.basename(source)[:-3] + ".o") for source in sources}
    stale = [s for s in sources if not is_newer(object_of[s], max(headers, os.path.getmtime(s)))]
    failures += in_parallel(lambda source: run(COMPILE + ["-include", header, "-c", source, "-o", object_of[source]]),
                            stale)
    if failures:
        return failures
    tests = [source for source in sources if source.endswith("_test.cc")]
    archive = os.path.join(out, "tested.a")
    if os.path.exists(archive):
        os.remove(archive)
    failures += in_parallel(run, [["ar", "rcs", archive] + [object_of[s] for s in sources if s not in tests]])
    if failures:
        return failures

    def link_and_run(test):
        program = object_of[test][:-2]
        failure = run(["g++", "--coverage", object_of[test], archive, "-o", program] + LIBRARIES)
        if failure is not None:
            return failure
        try:
            return run([os.path.abspath(program)], timeout=TEST_SECONDS)
        except subprocess.TimeoutExpired:
            return "%s took longer than %d s" % (test, TEST_SECONDS)

    return in_parallel(link_and_run, tests)


def lines_run(folder, out):
    """By file, by line: whether it ran in any program."""
    ran = collections.defaultdict(dict)
    left_out = test_only_files(folder)
    for notes in sorted(glob.glob(os.path.join(out, "*.gcno"))):
        if "precompiled" in notes:
            continue
        # Only what was named by a path from here: not the system's headers.
        done = subprocess.run(["gcov", "--json-format", "--stdout", "--relative-only", notes],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        for document in done.stdout.splitlines():
            for file in json.loads(document)["files"]:
                name = os.path.normpath(file["file"])
                if os.path.dirname(name) != folder or name.endswith("_test.cc") or name in left_out:
                    continue
                for line in file["lines"]:
                    number = line["line_number"]
                    ran[name][number] = ran[name].get(number, False) or line["count"] > 0
    return ran


def share(lines):
    return 100 * sum(lines) / max(len(lines), 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--least", type=float, default=0, help="percent")
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--no-build", action="store_true")
    arguments = parser.parse_args()
    folder = os.path.normpath(arguments.folder)
    out = os.path.join(".troupe", "coverage")

    failures = [] if arguments.no_build else build_and_test(folder, out)
    for failure in failures:
        print("FAILED  %s" % failure)
    if failures:
        sys.exit(1)
    ran = lines_run(folder, out)
    whole = share([line for lines in ran.values() for line in lines.values()])
    # First, since this is the line that the gate repeats.
    print("line coverage of %s/: %.1f %%" % (folder, whole))
    for name, lines in sorted(ran.items(), key=lambda item: share(item[1].values()))[:8]:
        print("  %5.1f %%  %s" % (share(lines.values()), name))
    if arguments.missing:
        for name, lines in sorted(ran.items()):
            missing = sorted(number for number, line_ran in lines.items() if not line_ran)
            if missing:
                print("%s: %s" % (name, " ".join(map(str, missing))))
    if whole < arguments.least:
        print("FAILED  that is less than %.0f %%" % arguments.least)
        sys.exit(1)


if __name__ == "__main__":
    main()
