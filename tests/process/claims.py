"""Runs the test cases of a file for Bazel: each is counted by its name, and one that fails says what the nodes said."""

import fnmatch
import os
import sys
import time
import unittest
import xml.etree.ElementTree as ElementTree


class Result(unittest.TestResult):
    """Prints cases as GoogleTest does, so that one reader of logs does for all tests."""

    def __init__(self):
        super().__init__()
        self.cases = []

    def startTest(self, test):
        super().startTest(test)
        self._name = name_of(test)
        self._failures = []
        self._started = time.monotonic()
        print("[ RUN      ] %s" % self._name)

    def stopTest(self, test):
        super().stopTest(test)
        took = time.monotonic() - self._started
        verdict = "[  FAILED  ]" if self._failures else "[       OK ]"
        print("%s %s (%d ms)" % (verdict, self._name, took * 1000))
        self.cases.append((self._name, took, self._failures))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._fail(test, self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            broken = self.failures if issubclass(err[0], test.failureException) else self.errors
            self._fail(test, "%s\n%s" % (subtest, broken[-1][1]))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._fail(test, "skipped, which no test here may be: " + reason)

    def _fail(self, test, text):
        # What the machine was like comes first: the end of a long log is what is shown.
        if hasattr(test, "circumstances"):
            print(test.circumstances())
        print(text)
        if not hasattr(self, "_failures"):  # outside of a case
            self.cases.append((name_of(test), 0, [text]))
        else:
            self._failures.append(text)


def name_of(test):
    parts = test.id().split(".")
    return ".".join(parts[-2:])


def cases_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from cases_of(test)
        else:
            yield test


def write_xml(path, cases):
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(root, "testsuite", name="process", tests=str(len(cases)))
    for name, took, failures in cases:
        class_name, _, case_name = name.rpartition(".")
        case = ElementTree.SubElement(
            suite, "testcase", classname=class_name, name=case_name, time="%.3f" % took, status="run")
        for failure in failures:
            # XML has no place for most control characters.
            printable = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in failure)
            ElementTree.SubElement(case, "failure", message=printable.strip().splitlines()[-1]).text = printable
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def main():
    """Runs the cases of the main module that match --test_filter, and ends the process with 0 or 1."""
    sys.stdout.reconfigure(errors="backslashreplace", line_buffering=True)
    patterns = os.environ.get("TESTBRIDGE_TEST_ONLY", "*").split(":")
    every = list(cases_of(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])))
    chosen = [test for test in every if any(fnmatch.fnmatchcase(name_of(test), pattern) for pattern in patterns)]
    result = Result()
    started = time.monotonic()
    unittest.TestSuite(chosen).run(result)
    if "XML_OUTPUT_FILE" in os.environ:
        write_xml(os.environ["XML_OUTPUT_FILE"], result.cases)
    failed = [name for name, _, failures in result.cases if failures]
    print("%d passed, %d failed in %.1f s" %
          (len(result.cases) - len(failed), len(failed), time.monotonic() - started))
    for name in failed:
        print("[  FAILED  ] " + name)
    sys.exit(1 if failed or result.testsRun != len(chosen) or not chosen else 0)
