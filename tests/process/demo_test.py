"""./run demo as a person meets it: real nodes, the real CLI. Only the packages and the build are taken for granted.

What it does with nodes that fail or hang, tests/tools/run_test.sh tries with stand-ins."""

import json
import os
import re
import signal
import stat
import subprocess

import claims
import node

import pexpect

PROMPT = "troupe> "
STARTS = "Try:"


class DemoTest(node.NodeTest):
    def setUp(self):
        super().setUp()
        self.house = os.path.join(self.directory, "house")
        self.temporary = os.path.join(self.directory, "tmp")
        self.output = os.path.join(self.directory, "output")
        for folder in ("apps", "bazel-bin", "bin", "tests/tools"):
            os.makedirs(os.path.join(self.house, folder))
        os.mkdir(self.temporary)
        for copy in ("run", "apps/demo_nodes.sh"):
            with open(os.path.join(node.RUNFILES, copy)) as source:
                self.write(copy, source.read())
        os.symlink(os.path.join(node.RUNFILES, "apps"), os.path.join(self.house, "bazel-bin/apps"))
        self.write("tests/tools/count.sh", "")
        self.write("bin/bazel", "#!/bin/sh\n")
        self.write("bin/dpkg-query", "#!/bin/sh\nshift 2\nprintf '%s installed\\n' \"$@\"\n")
        self.environment = node.clean_environment(
            TMPDIR=self.temporary, HOME=self.directory, TERM="xterm",
            PATH="%s:%s" % (os.path.join(self.house, "bin"), os.environ["PATH"]))
        # Debian's libedit leaves its last lines allocated at the end.
        self.environment["ASAN_OPTIONS"] = self.environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"

    def write(self, name, text):
        path = os.path.join(self.house, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, stat.S_IRWXU)

    def circumstances(self):
        return node.read_text(self.output) if os.path.exists(self.output) else "(nothing was said)"

    def run_demo(self, script, *flags):
        """Its exit code, and what it printed on standard output."""
        with open(self.output, "wb") as errors:
            done = subprocess.run(["./run", "demo", "--yes", *flags], cwd=self.house, env=self.environment,
                                  input=script, stdout=subprocess.PIPE, stderr=errors, timeout=2 * node.DEADLINE)
        return done.returncode, done.stdout.decode()

    def type_demo(self):
        """The demo at a terminal, which shows its prompt."""
        screen = pexpect.spawn("./run", ["demo"], cwd=self.house, env=self.environment, timeout=node.DEADLINE,
                               encoding="utf-8", dimensions=(40, 200), logfile=open(self.output, "w"))
        self.addCleanup(screen.logfile.close)
        self.addCleanup(screen.close, force=True)
        screen.expect(STARTS)
        screen.expect(PROMPT)
        return screen

    def enter(self, screen, line, *expected):
        screen.sendline(line)
        for pattern in expected:
            screen.expect(pattern)
        screen.expect(PROMPT)

    def processes(self):
        """The command lines of all that it started and that still runs."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as file:
                    command = file.read().replace(b"\0", b" ").decode(errors="backslashreplace")
            except OSError:  # it ended while we looked
                continue
            if self.directory in command:
                found.append(command)
        return found

    def assert_nothing_is_left(self):
        node.wait_until("nothing runs any more", lambda: not self.processes())
        self.assertEqual(os.listdir(self.temporary), [])


class PipeTest(DemoTest):
    def test_it_prints_what_the_commands_answer_and_three_alive_members(self):
        code, out = self.run_demo(b'set user:1 "Ada Lovelace"\nget user:1\nmembers -o json\n')
        self.assertEqual(code, 0)
        lines = out.splitlines()
        self.assertTrue(lines[0].startswith("OK  version 1"), out)
        self.assertEqual(lines[1], "Ada Lovelace")
        members = [json.loads(line) for line in lines[2:]]
        self.assertEqual([(member["name"], member["state"]) for member in members],
                         [("n1", "alive"), ("n2", "alive"), ("n3", "alive")])
        self.assert_nothing_is_left()

    def test_it_ends_with_the_status_of_the_commands(self):
        self.assertEqual(self.run_demo(b"get nobody\n"), (1, ""))
        self.assert_nothing_is_left()

    def test_keep_keeps_the_data(self):
        self.assertEqual(self.run_demo(b"set a 1\n", "--keep")[0], 0)
        [kept] = os.listdir(self.temporary)
        self.assertIn("kept: " + os.path.join(self.temporary, kept), node.read_text(self.output))
        for name in ("n1", "n2", "n3"):
            self.assertTrue(os.path.exists(os.path.join(self.temporary, kept, name, "NODE")))


class TerminalTest(DemoTest):
    def test_a_node_is_killed_and_started_again_and_ctrl_d_ends_all(self):
        screen = self.type_demo()
        self.enter(screen, "kill n2", r"n2 killed \(SIGKILL\); the others notice within 6 s")
        self.enter(screen, "kill n2", "error:.* n2 does not run")
        screen.send("\x03")  # is for nobody but the line
        screen.expect(PROMPT)
        self.enter(screen, "start n2", "n2 started")
        node.wait_until("n2 is alive again", lambda: self.state_of(screen, "n2") == "alive")
        screen.send("\x04")
        screen.expect(pexpect.EOF)
        screen.wait()
        self.assertEqual((screen.exitstatus, screen.signalstatus), (0, None))
        self.assert_nothing_is_left()

    def test_a_killed_founder_is_noticed_by_the_others(self):
        screen = self.type_demo()
        self.enter(screen, "kill n1", "n1 killed")
        node.wait_until("n1 is dead", lambda: self.state_of(screen, "n1") == "dead")
        screen.send("\x04")
        screen.expect(pexpect.EOF)
        self.assert_nothing_is_left()

    def state_of(self, screen, name):
        screen.sendline("members -o json")
        screen.expect(r'"name":"%s","state":"(\w+)"' % name)
        state = screen.match.group(1)
        screen.expect(PROMPT)
        return state

    def test_sigterm_and_a_terminal_that_goes_away_leave_nothing(self):
        screen = self.type_demo()
        screen.kill(signal.SIGTERM)
        screen.expect(pexpect.EOF)
        self.assert_nothing_is_left()
        screen = self.type_demo()
        self.enter(screen, "kill n3", "n3 killed")
        self.enter(screen, "start n3", "n3 started")
        screen.close(force=False)
        self.assert_nothing_is_left()

    def test_ctrl_c_before_the_prompt_leaves_nothing(self):
        screen = pexpect.spawn("./run", ["demo"], cwd=self.house, env=self.environment, timeout=node.DEADLINE)
        self.addCleanup(screen.close, force=True)
        node.wait_until("a node runs", lambda: any(re.search("--name=n1", command) for command in self.processes()))
        screen.send("\x03")
        screen.expect(pexpect.EOF)
        screen.wait()
        self.assertNotEqual((screen.exitstatus, screen.signalstatus), (0, None))
        self.assert_nothing_is_left()


if __name__ == "__main__":
    claims.main()
