"""troupe-node as its operator meets it: how it starts, refuses to start, bears abuse and stops."""

import os
import shutil
import random
import re
import signal
import socket
import subprocess
import time

import claims
import node

import grpc
from standard.health.v1 import health_pb2, health_pb2_grpc
from troupe.cluster.v1 import cluster_pb2
from troupe.kv.v1 import kv_pb2, kv_pb2_grpc


def run_node(*flags, **environment):
    """A node that is expected to end by itself."""
    return subprocess.run([node.NODE, *flags], env=node.clean_environment(**environment), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=node.DEADLINE, cwd=os.environ.get("TEST_TMPDIR"))


class ProcessTest(node.NodeTest):
    def assert_ends(self, code, says, *flags, **environment):
        done = run_node(*flags, **environment)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        self.assertIn(says, done.stderr)
        self.assertTrue(done.stderr.startswith("error: "), done.stderr)

    def assert_serves(self, n1):
        with grpc.insecure_channel(n1.address) as channel:
            kv = kv_pb2_grpc.KvServiceStub(channel)
            value = b"%d" % random.getrandbits(64)
            kv.Set(kv_pb2.SetRequest(key=b"serves", value=value), timeout=node.DEADLINE)
            self.assertEqual(kv.Get(kv_pb2.GetRequest(key=b"serves"), timeout=node.DEADLINE).value, value)


class FlagTest(ProcessTest):
    def test_help_explains_every_flag_and_ends_with_0(self):
        for flag in ("--help", "-h"):
            done = run_node(flag)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            for word in ("--name", "--listen", "--data-dir", "--log-level", "--config", "--print-config", "--version"):
                self.assertIn(word, done.stdout)
            self.assertLessEqual(done.stdout.count("\n"), 24)

    def test_version_is_one_line(self):
        done = run_node("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"\Atroupe-node \d+\.\d+\.\d+\n\Z")

    def test_print_config_says_where_each_setting_comes_from(self):
        file = os.path.join(self.directory, "n.toml")
        with open(file, "w") as out:
            out.write('# mine\nlog-level = "warning"\nname = "from-file"\n')
        done = run_node("--config", file, "--name=n7", "--print-config", TROUPE_LISTEN="127.0.0.1:7777")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(re.findall(r'^(\S+) += "(.*?)" +# (.*)$', done.stdout, re.MULTILINE), [
            ("name", "n7", "flag --name"),
            ("listen", "127.0.0.1:7777", "env TROUPE_LISTEN"),
            ("advertise", "", "default"),
            ("join", "", "default"),
            ("data-dir", "./troupe-data/n7", "default"),
            ("log-level", "warning", "file %s:2" % file),
        ])

    def test_wrong_usage_ends_with_2_and_names_what_was_meant(self):
        for flags, says in ((["--data-dri=x"], "--data-dri: no such flag; nearest: --data-dir"),
                            (["--name"], "--name: needs a value: --name=NAME"),
                            (["--name=n1", "--name=n2"], "--name: given twice"),
                            (["--listen=7101"], 'is not HOST:PORT'),
                            (["--listen=127.0.0.1:70000"], 'is not HOST:PORT'),
                            (["--name=UPPER"], "is no name"),
                            (["--log-level=inf"], "nearest: info"),
                            (["start"], '"start": every argument of troupe-node is a flag'),
                            (["--help=yes"], "--help")):
            with self.subTest(flags):
                self.assert_ends(2, says, *flags)

    def test_a_wrong_environment_variable_is_named(self):
        self.assert_ends(2, "TROUPE_LISTEN: ", TROUPE_LISTEN="nowhere")

    def test_a_mistake_in_the_config_file_is_told_with_line_and_column(self):
        for text, says in (('name = "n1"\ndata-dri = "x"\n', ':2:1: unknown key "data-dri"; nearest: "data-dir"'),
                           ('name = 7\n', ':1:8: "name" must be a string, not an integer'),
                           ('name = "n1\n', ":1:"),
                           ('\n\n  listen = "x"\n', ":3:")):
            with self.subTest(text):
                file = os.path.join(self.directory, "n.toml")
                with open(file, "w") as out:
                    out.write(text)
                self.assert_ends(2, file + says, "--config=" + file)

    def test_a_config_file_that_cannot_be_read_is_named(self):
        self.assert_ends(2, "No such file or directory", "--config=%s/none.toml" % self.directory)
        self.assert_ends(2, "Is a directory", "--config=" + self.directory)

    def test_the_log_level_is_obeyed(self):
        n1 = self.start_node("--log-level=error")
        n1.stop()
        self.assertEqual(n1.log(), "")


class StartTest(ProcessTest):
    def assert_does_not_start(self, says, *flags, name="n1", target=None, **options):
        n1 = target or self.node(name)
        before = len(n1.log()) if n1.process else 0
        n1.start(*flags, await_ready=False, **options)
        self.assertEqual(n1.wait(), 1, n1.log())
        said = n1.log()[before:]
        self.assertTrue(said.startswith("error: "), said)
        self.assertRegex(said, says)
        self.assertEqual(n1.output(), "")
        return said

    def test_the_banner_is_short_and_says_where_to_find_everything(self):
        n1 = self.start_node()
        lines = n1.output().splitlines()
        self.assertEqual(lines[-1], "ready")
        self.assertLessEqual(len(lines), 8)
        self.assertIn(n1.data_dir, n1.output())
        self.assertIn("troupe --endpoint=%s status" % n1.address, n1.output())

    def test_a_port_taken_by_a_node_is_told_with_its_name_and_pid(self):
        n1 = self.start_node()
        port = n1.address.split(":")[1]
        self.assert_does_not_start(
            r"port %s is taken by troupe-node n1 \(pid \d+\)\n  .*--listen" % port, name="n2", listen=n1.address)
        self.assert_serves(n1)
        self.assertFalse(os.path.exists(self.nodes[-1].data_dir), "it made a directory that it could not use")

    def test_a_port_taken_by_another_program_is_told_with_its_name_and_pid(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            with open("/proc/self/comm") as comm:
                me = r"pid %d \(%s\)" % (os.getpid(), re.escape(comm.read().strip()))
            self.assert_does_not_start("port %d is taken by %s\n" % (taken.getsockname()[1], me),
                                       listen="127.0.0.1:%d" % taken.getsockname()[1])

    def test_an_address_that_is_not_of_this_machine_is_told(self):
        self.assert_does_not_start("this machine has no such address", listen="192.0.2.1:7101")

    def test_a_directory_in_use_is_told_by_whom(self):
        n1 = self.start_node()
        pid = re.search(r"^pid = (\d+)$", self.node_file(n1), re.MULTILINE).group(1)
        self.assertEqual(int(pid), n1.pid)
        self.assert_ends(1, "%s is in use by troupe-node n1, pid %s, since 20" % (n1.data_dir, pid),
                         "--name=n1", "--listen=127.0.0.1:0", "--data-dir=" + n1.data_dir)
        self.assert_serves(n1)

    def node_file(self, n1):
        return node.read_text(n1.data_dir + "/NODE")

    def rewrite_node_file(self, n1, old, new):
        text = self.node_file(n1)
        self.assertIn(old, text)
        with open(n1.data_dir + "/NODE", "w") as file:
            file.write(text.replace(old, new))

    def test_a_directory_of_a_newer_format_is_refused_with_both_numbers(self):
        n1 = self.start_node()
        n1.stop()
        self.rewrite_node_file(n1, "format = 2", "format = 7")
        before = self.node_file(n1)
        self.assert_does_not_start(r"has format 7; this troupe-node understands format 2\n  ", target=n1)
        self.assertEqual(self.node_file(n1), before, "it changed what it does not understand")

    def test_a_store_that_is_gone_is_not_replaced_by_an_empty_one(self):
        n1 = self.start_node()
        n1.stop()
        shutil.rmtree(os.path.join(n1.data_dir, "state"))
        self.assert_does_not_start(r"holds no store, but this node has run before\n  put it back", target=n1)

    def test_a_damaged_node_file_is_refused_by_name(self):
        n1 = self.start_node()
        n1.stop()
        self.rewrite_node_file(n1, "cluster_id", "cluster")
        self.assert_does_not_start(r"/NODE is damaged: ", target=n1)

    def test_a_directory_of_another_node_is_refused(self):
        n1 = self.start_node()
        n1.stop()
        self.assert_ends(1, "belongs to node n1, not n2\n  start it with --name=n1",
                         "--name=n2", "--listen=127.0.0.1:0", "--data-dir=" + n1.data_dir)

    def test_a_directory_with_other_things_in_it_is_refused_and_left_alone(self):
        n1 = self.node()
        os.mkdir(n1.data_dir)
        with open(n1.data_dir + "/thesis.txt", "w") as file:
            file.write("all of it")
        self.assert_does_not_start("is not empty and holds no troupe data\n  ", target=n1)
        self.assertEqual(os.listdir(n1.data_dir), ["thesis.txt"])

    def test_a_file_in_the_place_of_the_directory_is_refused(self):
        n1 = self.node()
        open(n1.data_dir, "w").close()
        self.assert_does_not_start("is not a directory", target=n1)

    def test_a_damaged_store_is_refused(self):
        n1 = self.start_node()
        n1.kv.Set(kv_pb2.SetRequest(key=b"a", value=b"1"))
        n1.stop()
        with open(n1.data_dir + "/state/CURRENT", "w") as file:
            file.write("MANIFEST-999999\n")
        self.assert_does_not_start(re.escape(n1.data_dir), target=n1)

    def test_a_start_right_after_a_kill_takes_the_same_port_and_directory(self):
        n1 = self.start_node()
        n1.kv.Set(kv_pb2.SetRequest(key=b"a", value=b"1"))
        address = n1.address
        for _ in range(3):
            n1.kill()
            n1.start(listen=address)
            self.assertEqual(n1.kv.Get(kv_pb2.GetRequest(key=b"a"), timeout=node.DEADLINE, wait_for_ready=True).value,
                             b"1")

    def test_it_runs_without_standard_streams(self):
        n1 = self.start_node()
        address = n1.address
        n1.stop()
        # The shell closes them; a file of the node's own must not take their place and be written into.
        n1.start(listen=address, tracer=("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"), await_ready=False)
        with grpc.insecure_channel(address) as channel:
            kv = kv_pb2_grpc.KvServiceStub(channel)
            for i in range(20):
                kv.Set(kv_pb2.SetRequest(key=b"%d" % i, value=b"1"), timeout=node.DEADLINE, wait_for_ready=True)
        self.assertEqual(n1.stop()[0], 0)
        n1.start()
        self.assertEqual(len(n1.kv.List(kv_pb2.ListRequest()).entries), 20)


class AbuseTest(ProcessTest):
    def connect(self, n1):
        host, port = n1.address.split(":")
        return socket.create_connection((host, int(port)), timeout=node.DEADLINE)

    def send_and_hang_up(self, n1, junk):
        """Sends it and reads until the node has had enough, or has nothing to say."""
        with self.connect(n1) as connection:
            try:
                connection.sendall(junk)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except (ConnectionResetError, BrokenPipeError, OSError):
                pass  # it hung up first

    def test_junk_on_the_port_harms_nobody(self):
        n1 = self.start_node()
        chance = random.Random(7)
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        settings = b"\0\0\0\4\0\0\0\0\0"
        for junk in (b"", b"\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PING\r\n", bytes(100000),
                     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
                     preface, preface[:10], preface + b"\xff" * 9 + bytes(1000),
                     preface + settings + b"\xff\xff\xff\0\0\0\0\0\1" + bytes(1 << 16),  # a frame of 16 MiB
                     preface + settings + b"\0\0\5\1\5\0\0\0\1" + b"\xff" * 5,  # headers that are none
                     preface + settings + b"\0\0\4\x08\0\0\0\0\0\0\0\0\0",  # a window that grows by 0
                     preface + settings * 10000):
            self.send_and_hang_up(n1, junk)
        for _ in range(50):
            self.send_and_hang_up(n1, chance.randbytes(chance.randrange(2000)))
            self.send_and_hang_up(n1, preface + settings + chance.randbytes(chance.randrange(2000)))
        self.assert_serves(n1)
        self.assertNotIn("error", n1.log().lower())

    def test_messages_that_do_not_parse_are_errors_of_the_call(self):
        n1 = self.start_node()
        chance = random.Random(7)
        codes = set()
        for method in ("kv.v1.KvService/Set", "kv.v1.KvService/Get", "kv.v1.KvService/List",
                       "cluster.v1.ClusterService/GetStatus", "actor.v1.ActorService/ListActors"):
            for _ in range(20):
                try:
                    n1.channel.unary_unary("/troupe." + method)(chance.randbytes(chance.randrange(1, 200)),
                                                               timeout=node.DEADLINE)
                except grpc.RpcError as error:
                    codes.add(error.code())
        self.assertLessEqual(codes, {grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT,
                                     grpc.StatusCode.NOT_FOUND})
        self.assert_serves(n1)

    def test_callers_who_say_nothing_keep_nobody_out_and_do_not_hold_the_stop(self):
        n1 = self.start_node()
        silent = [self.connect(n1) for _ in range(200)]
        half = [self.connect(n1) for _ in range(50)]
        for connection in half:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM")
        self.assert_serves(n1)
        code, took = n1.stop()
        self.assertEqual(code, 0)
        self.assertLess(took, node.STOPS_WITHIN)
        for connection in silent + half:
            connection.close()

    def test_callers_who_go_away_in_the_middle_of_a_call_harm_nobody(self):
        n1 = self.start_node(slow_disk=True)
        n1.hold_syncs()
        for i in range(20):
            with grpc.insecure_channel(n1.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
                kv = kv_pb2_grpc.KvServiceStub(channel)
                call = kv.Set.future(kv_pb2.SetRequest(key=b"k%d" % i, value=b"1"), timeout=node.DEADLINE)
                if i % 2 == 0:
                    call.cancel()
        n1.release_syncs()
        self.assert_serves(n1)
        self.assertEqual(n1.stop()[0], 0)


class StopTest(ProcessTest):
    def begin_set(self, n1, key, timeout=node.DEADLINE):
        """A set that a shard has in hand, and that waits for the disk."""
        n1.hold_syncs()
        before = n1.handled_by_shards()
        call = n1.kv.Set.future(kv_pb2.SetRequest(key=key, value=b"1"), timeout=timeout)
        node.wait_until("a shard has the set in hand", lambda: n1.handled_by_shards() > before)
        self.assertFalse(call.done())
        return call

    def tell_to_stop(self, n1, number):
        n1.send(number)
        node.wait_until("the node has heard", lambda: "answers under way finish" in n1.log())

    def assert_stops(self, n1, number):
        code, took = n1.stop(number)
        self.assertEqual(code, 0)
        self.assertLess(took, node.STOPS_WITHIN)

    def test_sigterm_and_ctrl_c_end_a_node_with_0_and_no_error(self):
        n1 = self.start_node()
        for number in (signal.SIGTERM, signal.SIGINT):
            self.assert_stops(n1, number)
            self.assertNotIn("error", n1.log().lower())
            n1.start()
            self.assert_serves(n1)

    def test_a_call_under_way_is_answered_before_the_node_stops(self):
        for number, name in ((signal.SIGTERM, "n1"), (signal.SIGINT, "n2")):
            n1 = self.start_node(name=name, slow_disk=True)
            call = self.begin_set(n1, b"a")
            self.tell_to_stop(n1, number)
            n1.release_syncs()
            self.assertGreater(call.result().version, 0)
            self.assertEqual(n1.wait(), 0)
            n1.start()
            self.assertEqual(n1.kv.Get(kv_pb2.GetRequest(key=b"a")).value, b"1")

    def test_a_node_that_stops_takes_no_new_calls(self):
        n1 = self.start_node(slow_disk=True)
        self.begin_set(n1, b"a")
        self.tell_to_stop(n1, signal.SIGTERM)
        with grpc.insecure_channel(n1.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            self.assert_refused(grpc.StatusCode.UNAVAILABLE, kv_pb2_grpc.KvServiceStub(channel).Set,
                                kv_pb2.SetRequest(key=b"b", value=b"1"))
        n1.release_syncs()
        self.assertEqual(n1.wait(), 0)

    def test_health_watchers_are_told_of_the_stop(self):
        n1 = self.start_node(slow_disk=True)
        self.begin_set(n1, b"a")
        statuses = health_pb2_grpc.HealthStub(n1.channel).Watch(
            health_pb2.HealthCheckRequest(service="troupe.kv.v1.KvService"), timeout=node.DEADLINE)
        self.assertEqual(next(statuses).status, health_pb2.HealthCheckResponse.SERVING)
        self.tell_to_stop(n1, signal.SIGTERM)
        self.assertEqual(next(statuses).status, health_pb2.HealthCheckResponse.NOT_SERVING)
        n1.release_syncs()
        self.assertEqual(n1.wait(), 0)

    def test_a_call_that_does_not_end_does_not_hold_the_node(self):
        n1 = self.start_node(slow_disk=True)
        call = self.begin_set(n1, b"a")
        started = time.monotonic()
        self.tell_to_stop(n1, signal.SIGTERM)
        self.assertEqual(n1.wait(), 0)
        self.assertLess(time.monotonic() - started, node.STOPS_WITHIN)
        self.assertIsNotNone(call.exception())

    def test_a_second_ctrl_c_ends_the_node_at_once(self):
        n1 = self.start_node(slow_disk=True)
        self.begin_set(n1, b"a")
        self.tell_to_stop(n1, signal.SIGINT)
        n1.send(signal.SIGINT)
        self.assertEqual(n1.wait(), -signal.SIGINT)

    def test_a_client_that_only_stays_connected_does_not_hold_the_node(self):
        n1 = self.start_node()
        n1.kv.Set(kv_pb2.SetRequest(key=b"a", value=b"1"))
        started = time.monotonic()
        n1.send(signal.SIGTERM)
        self.assertEqual(n1.wait(), 0)
        self.assertLess(time.monotonic() - started, 3)

    def test_a_stop_under_load_loses_nothing_that_was_acknowledged(self):
        n1 = self.start_node()
        calls = {b"k%d" % i: n1.kv.Set.future(kv_pb2.SetRequest(key=b"k%d" % i, value=b"1"), timeout=node.DEADLINE)
                 for i in range(1000)}
        node.wait_until("some are answered", lambda: any(call.done() for call in calls.values()))
        n1.send(signal.SIGTERM)
        self.assertEqual(n1.wait(), 0)
        acknowledged = []
        for key, call in calls.items():
            if call.exception(timeout=node.DEADLINE) is None:
                acknowledged.append(key)
            else:
                self.assertEqual(call.exception().code(), grpc.StatusCode.UNAVAILABLE, call.exception().details())
        n1.start()
        there = {entry.key for entry in n1.kv.List(kv_pb2.ListRequest(page_size=1000, keys_only=True)).entries}
        self.assertLessEqual(set(acknowledged), there)

    def test_a_call_without_a_deadline_is_given_up_after_five_seconds(self):
        n1 = self.start_node(slow_disk=True)
        started = time.monotonic()
        error = self.begin_set(n1, b"a", timeout=None).exception()
        self.assertEqual(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assertGreater(time.monotonic() - started, 4.5)
        n1.release_syncs()
        self.assert_serves(n1)

    def test_reads_and_status_are_answered_while_the_disk_is_slow(self):
        n1 = self.start_node(slow_disk=True)
        n1.kv.Set(kv_pb2.SetRequest(key=b"a", value=b"old"))
        call = self.begin_set(n1, b"a")
        self.assertEqual(n1.kv.Get(kv_pb2.GetRequest(key=b"a"), timeout=node.DEADLINE).value, b"old")
        self.assertEqual(n1.cluster.GetStatus(cluster_pb2.GetStatusRequest(), timeout=node.DEADLINE).shards_serving, 64)
        n1.release_syncs()
        call.result()
        self.assertEqual(n1.kv.Get(kv_pb2.GetRequest(key=b"a")).value, b"1")

    def test_the_same_start_and_stop_ten_times_leaves_nothing_behind(self):
        n1 = self.node()
        for _ in range(10):
            n1.start()
            self.assert_stops(n1, signal.SIGTERM)
        self.assertEqual(sorted(os.listdir(n1.data_dir)), ["LOCK", "NODE", "STORE", "state"])
        self.assertLess(len(os.listdir(n1.data_dir + "/state")), 30)


if __name__ == "__main__":
    claims.main()
