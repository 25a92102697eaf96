"""The examples of apps/examples as the README shows them: what they print, and a chat with guests of every kind."""

import os
import re
import signal
import socket
import struct
import subprocess
import time
import unittest

import claims

EXAMPLES = os.path.join(os.getcwd(), "apps/examples")
# For what happens within milliseconds: seconds on a busy machine, never this long.
DEADLINE = 30.0
MAX_GUESTS = 16


def run_example(name, *arguments):
    return subprocess.run([os.path.join(EXAMPLES, name), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=DEADLINE)


class PrintingTest(unittest.TestCase):
    def test_the_greeter_greets(self):
        done = run_example("greeter")
        self.assertEqual((done.returncode, done.stdout), (0, "Hello, Cinema!\n"), done.stderr)

    def test_the_worker_is_restarted_after_a_backoff_and_given_up_at_the_third_crash(self):
        started = time.monotonic()
        done = run_example("supervised_worker")
        took = time.monotonic() - started
        self.assertEqual(done.returncode, 0, done.stderr)
        division = "std::domain_error: division by zero"
        self.assertEqual(done.stdout.splitlines(), [
            "10 / 2: 5, job 1 of this worker",
            "9 / 3: 3, job 2 of this worker",
            "1 / 0: " + division,
            "8 / 2: 4, job 1 of this worker",
            "2 / 0: " + division,
            "7 / 7: 1, job 1 of this worker",
            "3 / 0: " + division,
            "6 / 2: Worker#1 has terminated",
            "The worker was given up: " + division + " (more than 2 restarts within 1m)",
        ])
        # 100 ms and 200 ms, each cut by a fifth at most.
        self.assertGreater(took, 0.24)


class Guest:
    """Somebody at the chat, by a socket. The first line that one reads is one's own arrival."""

    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(("127.0.0.1", port))
        self.lines = self.socket.makefile("r", encoding="utf-8", newline="\n")

    def say(self, text):
        self.socket.sendall(text.encode() + b"\n")

    def hears(self):
        """The next line, or nothing at the end."""
        return self.lines.readline().rstrip("\n")

    def leave(self):
        self.lines.close()
        self.socket.close()

    def vanish(self):
        """As when the process is killed with something unread: a reset, not an end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.leave()


class ChatTest(unittest.TestCase):
    def setUp(self):
        self.server = subprocess.Popen([os.path.join(EXAMPLES, "chat_server"), "--port=0"], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end)
        says = self.server.stdout.readline()
        self.port = int(re.fullmatch(r"listening at 127\.0\.0\.1:(\d+)\n", says).group(1))

    def end(self):
        self.server.kill()
        self.server.communicate()

    def enter(self, name, **options):
        guest = Guest(self.port, **options)
        self.addCleanup(guest.leave)
        self.assertEqual(guest.hears(), "* %s is here" % name)
        return guest

    def test_two_guests_see_each_others_lines_in_their_order(self):
        ada = self.enter("guest1")
        alan = self.enter("guest2")
        self.assertEqual(ada.hears(), "* guest2 is here")
        for number in range(100):
            ada.say("line %d" % number)
        for guest in (ada, alan):
            for number in range(100):
                self.assertEqual(guest.hears(), "guest1: line %d" % number)
        alan.say("hello")
        self.assertEqual(ada.hears(), "guest2: hello")

    def test_who_leaves_or_is_killed_is_announced_and_the_others_go_on(self):
        ada = self.enter("guest1")
        for number, how in ((2, Guest.leave), (3, Guest.vanish)):
            other = self.enter("guest%d" % number)
            self.assertEqual(ada.hears(), "* guest%d is here" % number)
            how(other)
            self.assertEqual(ada.hears(), "* guest%d has left" % number)
        ada.say("alone")
        self.assertEqual(ada.hears(), "guest1: alone")

    def test_nc_is_a_client(self):
        ada = self.enter("guest1")
        done = subprocess.run(["nc", "-N", "127.0.0.1", str(self.port)], input="hello\nno end of line", text=True,
                              capture_output=True, timeout=DEADLINE)
        self.assertEqual((done.returncode, done.stdout.splitlines()[:2]), (0, ["* guest2 is here", "guest2: hello"]))
        self.assertEqual([ada.hears() for _ in range(4)],
                         ["* guest2 is here", "guest2: hello", "guest2: no end of line", "* guest2 has left"])

    def test_control_characters_do_not_reach_the_others_terminals(self):
        ada = self.enter("guest1")
        ada.say("\x1b[31mred\r\x07")
        self.assertEqual(ada.hears(), "guest1: [31mred")

    def test_past_its_limit_the_server_is_full_until_somebody_leaves(self):
        guests = [self.enter("guest%d" % (number + 1)) for number in range(MAX_GUESTS)]
        refused = Guest(self.port)
        self.assertEqual(refused.hears(), "The server is full. Please come back later.")
        self.assertEqual(refused.hears(), "")
        refused.leave()
        guests.pop().leave()
        last = guests.pop()
        self.assertEqual(last.hears(), "* guest16 is here")
        self.assertEqual(last.hears(), "* guest16 has left")
        self.enter("guest17")

    def test_a_line_that_is_too_long_sends_its_guest_away(self):
        ada = self.enter("guest1")
        ada.say("x" * 1000)
        self.assertEqual(ada.hears(), "guest1: " + "x" * 1000)
        alan = self.enter("guest2")
        alan.say("x" * 1001)
        self.assertEqual([ada.hears(), ada.hears()],
                         ["* guest2 is here", "* guest2 was sent away: a line is too long"])
        self.assertEqual(alan.hears(), "")

    def test_a_guest_who_does_not_read_is_sent_away_and_holds_up_nobody(self):
        ada = self.enter("guest1")
        self.enter("guest2", receive_buffer=4096)
        self.assertEqual(ada.hears(), "* guest2 is here")
        heard = ""
        for number in range(100000):
            ada.say("x" * 1000)
            heard = ada.hears()
            if heard != "guest1: " + "x" * 1000:
                break
        self.assertEqual(heard, "* guest2 has left")

    def test_a_signal_ends_it_while_guests_are_there(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                guests = [self.enter("guest1"), self.enter("guest2")]
                self.server.send_signal(number)
                _, errors = self.server.communicate(timeout=DEADLINE)
                self.assertEqual((self.server.returncode, errors), (0, ""))
                self.assertEqual(guests[1].hears(), "")
                self.setUp()

    def test_what_it_cannot_do_is_an_error(self):
        taken = run_example("chat_server", "--port=%d" % self.port)
        self.assertEqual((taken.returncode, taken.stdout), (1, ""))
        self.assertIn("cannot listen at 127.0.0.1:%d" % self.port, taken.stderr)
        for arguments in (["--prot=1"], ["--port=x"], ["--port=1", "2"], ["--port=70000"], ["--port=-1"]):
            wrong = run_example("chat_server", *arguments)
            self.assertEqual((wrong.returncode, wrong.stderr), (2, "usage: chat_server [--port=7400]\n"), arguments)


if __name__ == "__main__":
    claims.main()
