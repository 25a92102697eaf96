"""The CLI against a real node: what scripts rely on, byte for byte, and every exit code."""

import json
import os
import signal
import socket
import subprocess
import time

import claims
import node

DONE, NO, USAGE, NO_CONNECTION, UNAVAILABLE, REFUSED = range(6)
MAX_KEY = 4096
MAX_VALUE = 1 << 20


class CliTest(node.NodeTest):
    def setUp(self):
        super().setUp()
        self.n1 = self.start_node()
        self.said = b""

    def start(self, *words, endpoint=None, **options):
        environment = node.clean_environment(TROUPE_ENDPOINT=endpoint or self.n1.address, HOME=self.directory,
                                             TROUPE_TIMEOUT="%ds" % node.DEADLINE)
        return subprocess.Popen([node.CLI, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env={**environment, **options})

    def run_cli(self, *words, stdin=b"", endpoint=None, **environment):
        """Exit code, standard output and standard error."""
        with self.start(*words, endpoint=endpoint, **environment) as process:
            try:
                out, err = process.communicate(stdin, timeout=2 * node.DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        self.said = err
        return process.returncode, out, err

    def circumstances(self):
        return "the CLI said: %s\n%s" % (self.said, super().circumstances())

    def assert_prints(self, out, *words, code=DONE, err=b"", **options):
        """Nothing but these bytes, on each of the two."""
        self.assertEqual(self.run_cli(*words, **options), (code, out, err))

    def assert_ends(self, code, *words, says=b"", out=b"", **options):
        """An error on standard error, and only `out` on standard output."""
        ended, printed, err = self.run_cli(*words, **options)
        self.assertEqual((ended, printed), (code, out), err)
        self.assertIn(says, err)
        return err

    def assert_ok(self, *words, **options):
        code, out, err = self.run_cli(*words, **options)
        self.assertEqual((code, err), (DONE, b""))
        self.assertTrue(out.startswith(b"OK"), out)

    def json(self, *words, code=DONE, **options):
        """The objects that it printed, one a line."""
        ended, out, err = self.run_cli(*words, "-o", "json", **options)
        self.assertEqual(ended, code, err)
        return [json.loads(line) for line in out.splitlines()]


class CommandTest(CliTest):
    def test_set_says_ok_and_get_prints_the_value(self):
        self.assert_ok("set", "user:1", "Ada Lovelace")
        self.assert_prints(b"Ada Lovelace\n", "get", "user:1")

    def test_get_of_a_key_that_is_not_there_is_a_no(self):
        self.assert_prints(b"", "get", "nobody", code=NO, err=b"(not found)\n")

    def test_get_of_several_keys_prints_those_that_are_there(self):
        self.assert_ok("-c", "set a 1; set b 2")
        self.assert_prints(b"a\t1\nb\t2\n", "get", "a", "b")
        self.assert_prints(b"b\t2\n", "get", "x", "b", code=NO, err=b'"x": (not found)\n')

    def test_conditions_of_set(self):
        self.assert_ok("set", "a", "1", "--if-absent")
        self.assert_ok("set", "a", "2", "--if-present")
        version = self.json("get", "a")[0]["version"]
        self.assert_ok("set", "a", "3", "--if-version=" + version)
        self.assert_ok("set", "a", "4", "--if-value=3")
        for condition in ("--if-absent", "--if-version=" + version, "--if-value=3"):
            code, out, err = self.run_cli("set", "a", "5", condition)
            self.assertEqual((code, err), (NO, b""))
            self.assertTrue(out.startswith(b"no: "), out)
        self.assert_prints(b"no: the key does not exist\n", "set", "b", "1", "--if-present", code=NO)
        self.assert_prints(b"4\n", "get", "a")

    def test_cas_writes_only_over_what_it_was_told(self):
        self.assert_ok("set", "color", "red")
        code, out, _ = self.run_cli("cas", "color", "blue", "green")
        self.assertEqual((code, out), (NO, b'no: the value is "red" (version 1), not "blue"\n'))
        self.assert_ok("cas", "color", "red", "green")
        self.assert_prints(b"green\n", "get", "color")

    def test_del_says_whether_the_keys_were_there(self):
        self.assert_ok("-c", "set a 1; set b 1; set c 1")
        self.assert_ok("del", "a")
        self.assertEqual(self.run_cli("del", "a")[0], NO)
        self.assertEqual(self.run_cli("del", "a", "b")[0], NO)
        self.assert_ok("del", "c")
        self.assert_prints(b"", "list")

    def test_list_gives_a_prefix_in_byte_order_and_says_when_there_is_more(self):
        self.assert_ok("-c", "set u:3 c; set u:1 a; set u:2 b; set v 1")
        self.assert_prints(b"u:1\ta\t1\nu:2\tb\t1\nu:3\tc\t1\n", "list", "u:")
        self.assert_prints(b"u:1\nu:2\nu:3\n", "list", "u:", "--keys-only")
        code, out, err = self.run_cli("list", "u:", "--limit=2")
        self.assertEqual((code, out), (DONE, b"u:1\ta\t1\nu:2\tb\t1\n"))
        self.assertIn(b"2 shown, more: --after=", err)
        token = err.split(b"--after=")[1].split()[0].decode()
        self.assert_prints(b"u:3\tc\t1\n", "list", "u:", "--after=" + token)
        self.assert_ends(REFUSED, "list", "v", "--after=" + token, says=b"another prefix")

    def test_list_without_a_limit_gives_everything(self):
        script = "".join("set k%04d x\n" % i for i in range(1100))
        self.assertEqual(self.run_cli(stdin=script.encode())[0], DONE)
        self.assertEqual(len(self.run_cli("list", "--limit=0")[1].splitlines()), 1100)
        self.assertEqual(len(self.run_cli("list")[1].splitlines()), 100)

    def test_status_shards_and_actors_say_how_the_node_is(self):
        [status] = self.json("status")
        self.assertEqual((status["health"], status["node"]["name"], status["shards_serving"]), ("ok", "n1", 64))
        self.assertEqual(status["node"]["address"], self.n1.address)
        self.assertIn(b"Health\tok\n", self.run_cli("status")[1])
        self.assertEqual([shard["shard"] for shard in self.json("shards")], list(range(64)))
        self.assert_prints(b"3\t0c00-0fff\tn1\tn1\t0\n", "shards", "3")
        self.assertEqual(self.run_cli("shards", "64")[0], NO)
        self.assertIn("shard/17", [actor["name"] for actor in self.json("actors")])
        self.assertEqual(len(self.json("actors", "shard/")), 64)

    def test_help_and_version_need_no_node(self):
        nowhere = "127.0.0.1:1"
        for command in ("get", "set", "del", "cas", "list", "members", "shards", "actors", "status", "help",
                        "quit"):
            code, out, _ = self.run_cli("help", command, endpoint=nowhere)
            self.assertEqual(code, DONE)
            self.assertIn(command.encode(), out)
            self.assertEqual(self.run_cli(command, "--help", endpoint=nowhere), (DONE, out, b""))
            self.assertIn(command.encode(), self.run_cli("help", endpoint=nowhere)[1])
        out = self.run_cli("help", "exit-codes", endpoint=nowhere)[1]
        for code in range(7):
            self.assertIn(b"    %d  " % code, out)
        self.assertRegex(self.run_cli("--version", endpoint=nowhere)[1], rb"\Atroupe \d+\.\d+\.\d+\n\Z")

    def test_quit_ends_with_0_and_what_follows_is_not_done(self):
        self.assert_prints(b"", "quit")
        self.assertEqual(self.run_cli(stdin=b"set a 1\nquit\nset a 2\n")[0], DONE)
        self.assert_prints(b"1\n", "get", "a")


class OutputTest(CliTest):
    def test_every_format_of_get(self):
        self.assert_ok("set", "a", 'say "hi"\n')
        self.assert_prints(b'"say \\"hi\\"\\n"\n', "get", "a", "-o", "table")
        self.assert_prints(b'say "hi"\\n\n', "get", "a", "-o", "plain")
        self.assert_prints(b'say "hi"\n', "get", "a", "-o", "raw")
        [entry] = self.json("get", "a")
        self.assertEqual((entry["key"], entry["value"], entry["version"]), ("a", 'say "hi"\n', "1"))

    def test_a_pipe_gets_plain_text_without_colours(self):
        self.assert_ok("set", "a", "1")
        self.assertEqual(self.run_cli("list", "-o", "plain"), self.run_cli("list"))
        for words in (["list", "-o", "table"], ["get", "x"], ["gett"]):
            self.assertNotIn(b"\x1b", b"".join(self.run_cli(*words)[1:]))

    def test_a_table_has_headings(self):
        self.assert_ok("set", "a", "1")
        self.assert_prints(b'KEY  VALUE  VERSION\na    "1"          1\n', "list", "-o", "table")

    def test_json_is_one_object_a_line_with_large_numbers_as_strings(self):
        self.assert_ok("set", "a", "1")
        [written] = self.json("set", "a", "2")
        self.assertEqual((written["ok"], written["version"]), (True, "2"))
        [refused] = self.json("set", "a", "3", "--if-absent", code=NO)
        self.assertEqual((refused["ok"], refused["value"], refused["version"]), (False, "2", "2"))
        [missing] = self.json("get", "x", code=NO)
        self.assertIsNone(missing["value"])
        self.assertEqual([entry["key"] for entry in self.json("list")], ["a"])
        self.assertEqual([self.json("del", "a")[0]["deleted"], self.json("del", "a", code=NO)[0]["deleted"]],
                         [True, False])

    def test_an_output_that_cannot_be_written_is_an_error(self):
        self.assert_ok("set", "a", "1")
        with open("/dev/full", "wb") as full, subprocess.Popen(
                [node.CLI, "--endpoint=" + self.n1.address, "get", "a"], stdout=full, stderr=subprocess.PIPE,
                stdin=subprocess.DEVNULL, env=node.clean_environment()) as process:
            err = process.communicate(timeout=node.DEADLINE)[1]
        self.assertNotEqual(process.returncode, DONE)
        self.assertIn(b"error: ", err)


class BytesTest(CliTest):
    ODD = b"\xff\x01\xc3("

    def test_bytes_that_are_not_utf8_are_kept_and_shown_escaped(self):
        self.assert_ok("set", b"k" + self.ODD, self.ODD)
        self.assert_prints(self.ODD, "get", b"k" + self.ODD, "-o", "raw")
        self.assert_prints(b"\\xff\\x01\\xc3(\n", "get", b"k" + self.ODD)
        self.assert_prints(b"k\\xff\\x01\\xc3(\t\\xff\\x01\\xc3(\t1\n", "list")
        [entry] = self.json("get", b"k" + self.ODD)
        self.assertEqual((entry["key_base64"], entry["value_base64"]), ("a/8Bwyg=", "/wHDKA=="))

    def test_what_is_shown_escaped_can_be_typed_again(self):
        self.assert_ok("set", b"k" + self.ODD, "1")
        shown = self.run_cli("list", "--keys-only")[1]
        self.assert_prints(b"1\n", stdin=b"get " + shown)

    def test_utf8_is_shown_as_it_is(self):
        self.assert_ok("set", "größe", "5 µm 测试")
        self.assert_prints("größe\t5 µm 测试\t1\n".encode(), "list")

    def test_a_value_from_a_file_or_standard_input_is_taken_byte_for_byte(self):
        value = bytes(range(256)) * 100
        with open(self.directory + "/value", "wb") as file:
            file.write(value)
        self.assert_ok("set", "a", "@" + self.directory + "/value")
        self.assert_prints(value, "get", "a", "-o", "raw")
        self.assert_ok("set", "b", "-", stdin=value[::-1])
        self.assert_prints(value[::-1], "get", "b", "-o", "raw")
        self.assert_ends(USAGE, "set", "a", "@" + self.directory + "/none", says=b"No such file or directory")

    def test_values_that_look_like_something_else(self):
        self.assert_ok("set", "a", "--", "@not-a-file")
        self.assert_prints(b"@not-a-file\n", "get", "a")
        self.assert_ok("set", "a", "--", "--if-absent")
        self.assert_prints(b"--if-absent\n", "get", "a")
        self.assert_ok("set", "a", "")
        self.assert_prints(b"\n", "get", "a")
        self.assert_ok("set", "a", "-5")
        self.assert_prints(b"-5\n", "get", "a")


class LimitTest(CliTest):
    def test_a_key_has_1_to_4096_bytes(self):
        self.assert_ok("set", "k" * MAX_KEY, "1")
        self.assert_prints(b"1\n", "get", "k" * MAX_KEY)
        for words in (["get", ""], ["set", "", "1"], ["del", ""], ["cas", "", "1", "2"]):
            self.assert_ends(REFUSED, *words, says=b"key is empty")
        for words in (["get"], ["del"]):
            err = self.assert_ends(REFUSED, *words, "k" * (MAX_KEY + 1), says=b"4097 bytes")
            self.assertLess(len(err), 300)

    def test_a_value_has_at_most_a_mebibyte(self):
        value = b"v" * MAX_VALUE
        self.assert_ok("set", "a", "-", stdin=value)
        self.assert_prints(value, "get", "a", "-o", "raw")
        self.assert_ends(REFUSED, "set", "a", "-", stdin=value + b"v", says=b"1,048,576")
        self.assert_ends(REFUSED, "set", "a", "@/dev/zero", says=b"1,048,576")
        self.assert_prints(value, "get", "a", "-o", "raw")

    def test_a_page_larger_than_grpc_takes_by_default_is_shown(self):
        for i in range(6):
            self.assert_ok("set", "k%d" % i, "-", stdin=b"v" * MAX_VALUE)
        self.assertEqual(len(self.run_cli("list")[1].splitlines()), 6)


class UsageTest(CliTest):
    def test_wrong_use_ends_with_2_and_names_what_was_meant(self):
        for words, says in ((["gett", "a"], b"no such command: gett; nearest: get"),
                            (["set", "a", "1", "--if-absnt"], b"--if-absnt: no such flag; nearest: --if-absent"),
                            (["get"], b"get: KEY is missing"),
                            (["set", "a"], b"set: VALUE is missing"),
                            (["set", "a", "1", "2"], b'one argument too many: "2"'),
                            (["get", "a", "-o", "xml"], b'"xml" is not table, plain, json or raw'),
                            (["get", "a", "--timeout=soon"], b'"soon" is not a time'),
                            (["list", "--limit=-1"], b"--limit"),
                            (["shards", "x"], b"is not a whole number"),
                            (["set", "a", "1", "--if-absent", "--if-present"], b"exclude each other"),
                            (["--endpoint=nowhere", "get", "a"], b'"nowhere" has no port'),
                            (["--endpoint=127.0.0.1:99999", "get", "a"], b"has no port from 1 to 65535"),
                            (["help", "gte"], b'no help on "gte"; nearest: get'),
                            (["-c", "get a", "get"], b"-c takes no command beside it"),
                            (["-c", 'get "a'], b"the quote is never closed"),
                            (["-c", "get \\q"], b"no such escape")):
            with self.subTest(words):
                err = self.assert_ends(USAGE, *words, says=says)
                self.assertTrue(err.startswith(b"error: "), err)

    def test_wrong_use_is_found_before_anything_is_asked(self):
        self.assert_ends(USAGE, "set", "a", "1", "--if-absnt", endpoint="127.0.0.1:1")

    def test_a_wrong_environment_is_named(self):
        self.assert_ends(USAGE, "get", "a", says=b"TROUPE_TIMEOUT: ", TROUPE_TIMEOUT="soon")


class ScriptTest(CliTest):
    def test_c_runs_commands_in_order(self):
        code, out, err = self.run_cli("-c", "set a 1; get a; set a '2; 3'; get a")
        self.assertEqual((code, err), (DONE, b""))
        self.assertEqual(out.splitlines()[1::2], [b"1", b"2; 3"])

    def test_c_stops_at_the_first_command_that_fails(self):
        self.assertEqual(self.run_cli("-c", "set a 1; get nobody; set a 2")[0], NO)
        self.assertEqual(self.run_cli("-c", "get nobody; nonsense", "--keep-going")[0], NO)
        self.assert_prints(b"1\n", "get", "a")

    def test_a_script_stops_at_the_first_error_and_names_its_line(self):
        self.assert_ends(USAGE, stdin=b"# a comment\n\nget\nset a 1\n", says=b"line 3: error: get: KEY is missing")
        self.assert_ends(REFUSED, stdin=b'get ""\nset a 1\n', says=b"line 1: error: the key is empty")
        err = self.assert_ends(NO, stdin=b"get nobody\nset a 1\n", says=b"line 1: (not found)")
        self.assertIn(b"line 1: stopped here, exit code 1; --keep-going goes on", err)
        self.assertEqual(self.run_cli("get", "a")[0], NO)

    def test_keep_going_does_the_rest_and_ends_with_the_first_code(self):
        code, out, err = self.run_cli("--keep-going", stdin=b"get nobody\nnonsense\nset a 1\nget a\n")
        self.assertEqual((code, out.splitlines()[-1]), (NO, b"1"))
        self.assertIn(b"line 2: error: no such command: nonsense", err)

    def test_the_end_of_input_ends_with_0_with_or_without_a_last_line_end(self):
        self.assert_prints(b"", stdin=b"")
        self.assertEqual(self.run_cli(stdin=b"set a 1\nset a 2")[0], DONE)
        self.assert_prints(b"2\n", "get", "a")

    def test_a_script_in_quotes_and_escapes(self):
        self.assertEqual(self.run_cli(stdin=b'set "a b" "x\\n\\xff\\"" \n set c \'d  e\'\r\n')[0], DONE)
        self.assert_prints(b'x\n\xff"', "get", "a b", "-o", "raw")
        self.assert_prints(b"d  e", "get", "c", "-o", "raw")

    def test_each_answer_is_out_before_the_next_line_comes(self):
        with self.start() as process:
            for i in range(3):
                process.stdin.write(b"set a %d\nget a\n" % i)
                process.stdin.flush()
                self.assertTrue(process.stdout.readline().startswith(b"OK"))
                self.assertEqual(process.stdout.readline(), b"%d\n" % i)
            process.stdin.close()
            self.assertEqual(process.wait(node.DEADLINE), DONE)


class NodeControlTest(CliTest):
    def control(self, body):
        path = self.directory + "/control"
        with open(path, "w") as file:
            file.write("#!/bin/sh\n" + body)
        os.chmod(path, 0o700)
        return "--node-control=" + path

    def test_kill_and_start_run_the_program(self):
        self.assert_prints(b"I kill n2\n", "kill", "n2", self.control('echo "I $1 $2"'))
        self.assert_prints(b"I kill n2\nI start n2\n", self.control('echo "I $1 $2"'), "-c", "kill n2; start n2")

    def test_without_the_program_there_are_no_such_commands(self):
        self.assert_ends(USAGE, "kill", "n2", says=b"no such command: kill")

    def test_what_the_program_says_of_its_failure_is_the_error(self):
        self.assert_ends(REFUSED, "kill", "n2", self.control("echo 'error: n2 does not run' >&2; exit 1"),
                         says=b"error: n2 does not run\n")

    def test_ctrl_c_ends_the_cli_and_not_what_it_started(self):
        done = self.directory + "/done"
        control = self.control(": >%s.begun; while [ ! -e %s.go ]; do sleep 0.01; done; : >%s" % (done, done, done))
        with subprocess.Popen([node.CLI, control, "-c", "kill n2"], stdin=subprocess.DEVNULL, start_new_session=True,
                              stdout=subprocess.DEVNULL, env=node.clean_environment()) as process:
            node.wait_until("the program runs", lambda: os.path.exists(done + ".begun"))
            # To all in its group, as the terminal does it.
            os.killpg(process.pid, signal.SIGINT)
            self.assertEqual(process.wait(node.DEADLINE), 130)
        open(done + ".go", "w").close()
        node.wait_until("the program has finished", lambda: os.path.exists(done))


class ConnectionTest(CliTest):
    def free_port(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            return "127.0.0.1:%d" % server.getsockname()[1]

    def test_nothing_at_the_endpoint_is_told_at_once_with_a_remedy(self):
        nowhere = self.free_port()
        started = time.monotonic()
        for words in (["get", "a"], ["set", "a", "1"], ["list"], ["status"], ["shards"], ["actors"]):
            err = self.assert_ends(NO_CONNECTION, *words, endpoint=nowhere,
                                   says=b"no node answers at %s (connection refused)" % nowhere.encode())
            self.assertIn(b"\n  start one: troupe-node ", err)
        # Six times, and far below the timeout of one.
        self.assertLess(time.monotonic() - started, node.DEADLINE / 2)

    def test_a_name_that_is_nowhere_is_told(self):
        self.assert_ends(NO_CONNECTION, "get", "a", endpoint="no-such-host.invalid:7101", says=b"no-such-host.invalid")

    def test_dead_endpoints_in_a_list_are_passed_over(self):
        self.assert_ok("set", "a", "1")
        dead = self.free_port()
        self.assert_prints(b"1\n", "get", "a", endpoint="%s,%s" % (dead, self.n1.address))
        self.assert_prints(b"1\n", "get", "a", endpoint="%s,%s" % (self.n1.address, dead))
        err = self.assert_ends(NO_CONNECTION, "get", "a", endpoint="%s,%s" % (dead, self.free_port()))
        self.assertEqual(err.count(b"connection refused"), 2)

    def test_a_session_goes_on_at_the_next_endpoint_when_its_node_dies(self):
        n2 = self.start_node(name="n2")
        n2.kv.Set(node.kv_pb2.SetRequest(key=b"who", value=b"n2"))
        self.n1.kv.Set(node.kv_pb2.SetRequest(key=b"who", value=b"n1"))
        with self.start(endpoint="%s,%s" % (self.n1.address, n2.address)) as process:
            for expected in (b"n1\n", b"n2\n"):
                process.stdin.write(b"get who\n")
                process.stdin.flush()
                self.assertEqual(process.stdout.readline(), expected)
                self.n1.kill()
            out, err = process.communicate(b"set a 1\n", timeout=node.DEADLINE)
        self.assertEqual((process.returncode, out[:2]), (DONE, b"OK"), err)

    def test_at_most_16_endpoints(self):
        self.assert_ends(USAGE, "get", "a", endpoint=",".join([self.n1.address] * 17),
                         says=b"17 endpoints are too many; give at most 16")

    def test_an_endpoint_that_is_no_node_is_told(self):
        with socket.create_server(("127.0.0.1", 0)) as mute:
            self.assert_ends(NO_CONNECTION, "get", "a", "--timeout=300ms",
                             endpoint="127.0.0.1:%d" % mute.getsockname()[1], says=b"no answer")

    def test_a_node_that_cannot_be_connected_to_in_time_ends_with_3_for_nothing_was_sent(self):
        self.n1.pause()
        started = time.monotonic()
        err = self.assert_ends(NO_CONNECTION, "set", "a", "1", "--timeout=500ms", says=b"no answer in ")
        self.assertGreaterEqual(time.monotonic() - started, 0.5)
        self.assertNotIn(b"unknown", err)
        self.n1.resume()
        self.assertEqual(self.run_cli("get", "a")[0], NO)

    def test_a_node_that_pauses_in_between_ends_with_4_and_a_write_says_that_it_may_be_done(self):
        for command, effect in ((b"set a 2 --timeout=500ms\n", True), (b"del a --timeout=500ms\n", True),
                                (b"get a --timeout=500ms\n", False)):
            with self.subTest(command), self.start() as process:
                process.stdin.write(b"set a 1\n")
                process.stdin.flush()
                self.assertTrue(process.stdout.readline().startswith(b"OK"))
                self.n1.pause()
                out, err = process.communicate(command, timeout=node.DEADLINE)
                self.n1.resume()
                self.assertEqual((process.returncode, out), (UNAVAILABLE, b""), err)
                self.assertIn(b"line 2: error: no answer from %s within 500ms" % self.n1.address.encode(), err)
                self.assertEqual(b"whether it was written is unknown" in err, effect)

    def test_a_node_that_dies_in_between_ends_with_4_and_a_write_says_that_it_may_be_done(self):
        self.n1.stop()
        self.n1.start(slow_disk=True)
        self.n1.hold_syncs()
        before = self.n1.handled_by_shards()
        with self.start("set", "a", "1") as process:
            node.wait_until("a shard has the set in hand", lambda: self.n1.handled_by_shards() > before)
            self.n1.kill()
            out, err = process.communicate(timeout=node.DEADLINE)
        self.assertEqual((process.returncode, out), (UNAVAILABLE, b""), err)
        self.assertIn(b"broke before the answer", err)
        self.assertIn(b"whether it was written is unknown", err)

    def test_a_session_finds_a_node_again_that_was_started_again(self):
        with self.start("--keep-going") as process:
            process.stdin.write(b"set a 1\n")
            process.stdin.flush()
            self.assertTrue(process.stdout.readline().startswith(b"OK"))
            address = self.n1.address
            self.n1.kill()
            self.n1.start(listen=address)
            # The first call may be the one that finds the old connection broken.
            out, err = process.communicate(b"get a\nget a\n", timeout=node.DEADLINE)
        self.assertTrue(out.endswith(b"1\n"), err)
        self.assertIn(process.returncode, (DONE, UNAVAILABLE))

    def test_ctrl_c_ends_a_command_with_130(self):
        with self.start() as process:
            process.stdin.write(b"set a 1\n")
            process.stdin.flush()
            self.assertTrue(process.stdout.readline().startswith(b"OK"))
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(node.DEADLINE), 130)
            process.stdin.close()


if __name__ == "__main__":
    claims.main()
