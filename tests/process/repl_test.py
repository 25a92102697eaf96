"""The CLI at a terminal, with somebody typing."""

import os
import re
import stat
import termios

import claims
import node

import pexpect
from troupe.kv.v1 import kv_pb2

UP = "\x1b[A"
PROMPT = "troupe> "
GOES_ON = r"   \.\.\.> "


class ReplTest(node.NodeTest):
    def setUp(self):
        super().setUp()
        self.n1 = self.start_node()
        self.history = os.path.join(self.directory, "state/troupe/history")
        self.screen = None

    def circumstances(self):
        shown = repr(self.screen.before) if self.screen else "nothing"
        return "on the screen since what was seen last: %s\n%s" % (shown, super().circumstances())

    def start_repl(self, *flags, endpoint=None):
        environment = node.clean_environment(TERM="xterm", XDG_STATE_HOME=os.path.join(self.directory, "state"))
        # Debian's libedit leaves its last lines allocated at the end.
        environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        self.screen = pexpect.spawn(
            node.CLI, ["--endpoint=" + (endpoint or self.n1.address), "--timeout=%ds" % node.DEADLINE, *flags],
            env=environment, timeout=node.DEADLINE, encoding="utf-8", dimensions=(24, 120))
        self.addCleanup(self.screen.close, force=True)
        self.screen.expect(PROMPT)
        return self.screen

    def enter(self, line, *expected):
        """Types a line and waits for what it prints, and for the next prompt."""
        self.screen.sendline(line)
        for pattern in expected:
            self.screen.expect(pattern)
        self.screen.expect(PROMPT)

    def leave(self):
        self.screen.send("\x04")
        self.screen.expect(pexpect.EOF)
        self.screen.wait()
        self.assertEqual((self.screen.exitstatus, self.screen.signalstatus), (0, None))

    def value(self, key):
        return self.n1.kv.Get(kv_pb2.GetRequest(key=key)).value


class LineTest(ReplTest):
    def test_commands_are_answered_for_people(self):
        self.start_repl()
        self.enter('set user:1 "Ada Lovelace"', "OK  version 1")
        self.enter("get user:1", '"Ada Lovelace"\r\n')
        self.enter("list", "KEY .*VALUE .*VERSION", "user:1 ")
        self.enter("set a 1; get a", "OK", '"1"\r\n')

    def test_an_error_keeps_the_prompt(self):
        self.start_repl()
        self.enter("gett a", "error:.* no such command: gett; nearest: get")
        self.enter("get nobody", r"\(not found\)")
        self.enter('get ""', "error:.* the key is empty")
        self.enter("set a 1", "OK")
        self.leave()

    def test_ctrl_d_ends_with_0_also_after_an_error(self):
        self.start_repl()
        self.enter("get nobody", "not found")
        self.leave()

    def test_quit_ends_with_0(self):
        screen = self.start_repl()
        screen.sendline("quit")
        screen.expect(pexpect.EOF)
        screen.wait()
        self.assertEqual(screen.exitstatus, 0)

    def test_a_terminal_that_goes_away_ends_it(self):
        screen = self.start_repl()
        screen.close(force=False)
        node.wait_until("the CLI has ended", lambda: not screen.isalive())

    def test_ctrl_c_gives_the_line_up_and_not_the_session(self):
        screen = self.start_repl()
        screen.send("set a 1")
        screen.expect("set a 1")
        screen.send("\x03")
        screen.expect(PROMPT)
        self.enter("get a", r"\(not found\)")
        self.leave()

    def test_ctrl_c_ends_a_command_that_waits_and_not_the_session(self):
        screen = self.start_repl()
        self.enter("set a 1", "OK")
        self.n1.pause()
        screen.sendline("set a 2")
        screen.expect("set a 2\r\n")
        # The terminal turns the key into a signal only once the line is no longer edited.
        node.wait_until("the command runs", lambda: self.signals_are_on(screen))
        screen.send("\x03")
        screen.expect("error:")
        screen.expect(PROMPT)
        self.n1.resume()
        self.enter("set b 1", "OK")
        self.leave()

    def signals_are_on(self, screen):
        return termios.tcgetattr(screen.child_fd)[3] & termios.ISIG

    def test_an_open_quote_goes_on_in_the_next_line(self):
        screen = self.start_repl()
        screen.sendline('set a "first')
        screen.expect(GOES_ON)
        self.enter('second"', "OK")
        self.assertEqual(self.value(b"a"), b"first\nsecond")

    def test_a_backslash_at_the_end_joins_lines(self):
        screen = self.start_repl()
        screen.sendline("set a \\")
        screen.expect(GOES_ON)
        self.enter("joined", "OK")
        self.assertEqual(self.value(b"a"), b"joined")

    def test_ctrl_c_gives_an_open_quote_up(self):
        screen = self.start_repl()
        screen.sendline('set a "first')
        screen.expect(GOES_ON)
        screen.send("\x03")
        screen.expect(PROMPT)
        self.enter("set b 1", "OK")

    def test_utf8_can_be_typed(self):
        self.start_repl()
        self.enter("set größe 5µm", "OK")
        self.assertEqual(self.value("größe".encode()), "5µm".encode())

    def test_it_starts_without_a_node_and_goes_on_once_there_is_one(self):
        address = self.n1.address
        self.n1.stop()
        self.start_repl(endpoint=address)
        self.enter("get a", "error:.* no node answers at %s" % re.escape(address))
        self.n1.start(listen=address)
        self.enter("set a 1", "OK")


class NodeControlTest(ReplTest):
    def test_ctrl_c_does_not_reach_what_kill_runs(self):
        go = os.path.join(self.directory, "go")
        control = os.path.join(self.directory, "control")
        with open(control, "w") as file:
            file.write("#!/bin/sh\n: >%s.begun\nwhile [ ! -e %s ]; do sleep 0.01; done\necho $2 is dead\n" % (go, go))
        os.chmod(control, 0o700)
        screen = self.start_repl("--node-control=" + control)
        screen.sendline("kill n2")
        node.wait_until("the program runs", lambda: os.path.exists(go + ".begun"))
        screen.send("\x03")
        screen.expect(r"\^C")
        open(go, "w").close()
        screen.expect("n2 is dead")
        screen.expect(PROMPT)
        self.enter("get a", "not found")
        self.leave()


class HistoryTest(ReplTest):
    def test_the_up_key_brings_the_last_line_back_also_in_the_next_session(self):
        self.start_repl()
        self.enter("set a 1", "OK")
        self.enter("get a", '"1"')
        self.leave()
        screen = self.start_repl()
        screen.send(UP)
        screen.expect("get a")
        screen.send(UP)
        screen.expect("s.*et a 1|set a 1")
        self.enter("", "OK  version 2")

    def test_only_its_owner_may_read_the_history(self):
        self.start_repl()
        self.enter("set secret 1", "OK")
        self.assertEqual(stat.S_IMODE(os.stat(self.history).st_mode), 0o600)
        os.chmod(self.history, 0o644)
        self.enter("get secret", '"1"')
        self.assertEqual(stat.S_IMODE(os.stat(self.history).st_mode), 0o600)

    def test_a_history_that_cannot_be_written_harms_nothing(self):
        open(os.path.join(self.directory, "state"), "w").close()
        self.start_repl()
        self.enter("set a 1", "OK")
        self.leave()


class CompletionTest(ReplTest):
    def press_tab_after(self, typed, *shown):
        """Tab rings the bell when the node does not answer in time, which on a busy machine is no mistake."""
        def press():
            self.screen.send("\t")
            return self.screen.expect([shown[0], "\x07"]) == 0

        self.screen.send(typed)
        node.wait_until("Tab shows " + shown[0], press)
        for pattern in shown[1:]:
            self.screen.expect(pattern)

    def test_tab_completes_a_command(self):
        self.start_repl()
        self.press_tab_after("sta", "tus ")
        self.enter("", "Health")

    def test_tab_completes_a_key(self):
        for key in (b"user:ada", b"user:bob", b"other"):
            self.n1.kv.Set(kv_pb2.SetRequest(key=key, value=b"v"))
        self.start_repl()
        self.enter("get other", '"v"')
        self.press_tab_after("get user:a", "da ")
        self.enter("", '"v"')

    def test_tab_shows_the_choices(self):
        for key in (b"user:ada", b"user:bob"):
            self.n1.kv.Set(kv_pb2.SetRequest(key=key, value=b"v"))
        self.start_repl()
        self.enter("get user:ada", '"v"')
        self.press_tab_after("get us", "er:")
        self.press_tab_after("", "user:ada +user:bob", "get user:")
        self.press_tab_after("b", "ob ")
        self.enter("", '"v"')

    def test_tab_completes_a_flag(self):
        self.start_repl()
        self.press_tab_after("set a 1 --if-a", "bsent ")
        self.enter("", "OK")

    def test_tab_without_a_node_does_not_hang(self):
        screen = self.start_repl()
        self.n1.pause()
        screen.send("get us\t")
        screen.send("er\x03")
        screen.expect(PROMPT)
        self.n1.resume()
        self.leave()


if __name__ == "__main__":
    claims.main()
