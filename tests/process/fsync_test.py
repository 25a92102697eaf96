"""An answer comes after the disk: seen from outside, in the system calls of a node."""

import os
import unittest

import claims
import node
import strace

import grpc
from troupe.kv.v1 import kv_pb2


def complaints(calls, values):
    """Why it is not so that each of `values`, set alone, was in the log and the log on disk before it was answered."""
    requests = [frame for frame in strace.read_frames(calls, "recvmsg") if frame.kind == strace.DATA]
    replies = {}
    for frame in strace.read_frames(calls, "sendmsg"):
        if frame.kind in (strace.DATA, strace.HEADERS):
            replies.setdefault((frame.socket, frame.stream), frame.place)
    writes = [call for call in calls if call.path.endswith(".log") and call.name in ("write", "pwrite64", "writev")]
    syncs = [call for call in calls if call.path.endswith(".log") and call.name in ("fsync", "fdatasync")]
    found = []
    for value in values:
        request = next((frame for frame in requests if value in frame.payload), None)
        reply = replies.get((request.socket, request.stream)) if request else None
        if reply is None:
            found.append("%s: no request and its reply in the trace" % value)
            continue
        write = next((call for call in writes if value in call.data and call.result == len(call.data)), None)
        if write is None or not request.place < write.entered <= write.left < reply:
            found.append("%s: not written to the log between request and reply" % value)
            continue
        between = [call for call in syncs if write.left < call.entered <= call.left < reply and
                   call.path == write.path and call.result == 0]
        if len(between) != 1:
            found.append("%s: %d syncs between its write and its reply, not 1" % (value, len(between)))
    if len(syncs) != len(values):
        found.append("%d syncs of the log for %d sets" % (len(syncs), len(values)))
    return found


REQUEST = r'''70 recvmsg(9<socket:[5]>, {msg_iov=[{iov_base="\0\0\5\0\1\0\0\0\3hello", iov_len=99}]}, 0) = 14'''
WRITE = r'''71 write(8</d/state/000004.log>, "..hello..", 9) = 9'''
SYNC = r'''71 fdatasync(8</d/state/000004.log>) = 0'''
SYNC_BEGINS = r'''71 fdatasync(8</d/state/000004.log> <unfinished ...>'''
SYNC_ENDS = r'''71 <... fdatasync resumed>) = 0'''
REPLY = r'''70 sendmsg(9<socket:[5]>, {msg_iov=[{iov_base="\0\0\1\1\4\0\0\0\3"}, {iov_base="x"}]}, 0) = 10'''


class CheckTest(unittest.TestCase):
    """That the check below can fail."""

    def assert_complains(self, about, *lines):
        found = complaints(strace.read_calls("\n".join(lines)), [b"hello"])
        self.assertTrue(any(about in complaint for complaint in found) if about else not found, found)

    def test_request_write_sync_reply_is_as_it_should_be(self):
        self.assert_complains(None, REQUEST, WRITE, SYNC, REPLY)
        self.assert_complains(None, REQUEST, WRITE, SYNC_BEGINS, SYNC_ENDS, REPLY)

    def test_a_reply_without_a_sync_is_seen(self):
        self.assert_complains("0 syncs", REQUEST, WRITE, REPLY)

    def test_a_reply_before_the_sync_is_seen(self):
        self.assert_complains("0 syncs", REQUEST, WRITE, REPLY, SYNC)

    def test_a_reply_while_the_sync_runs_is_seen(self):
        self.assert_complains("0 syncs", REQUEST, WRITE, SYNC_BEGINS, REPLY, SYNC_ENDS)

    def test_a_sync_before_the_write_is_seen(self):
        self.assert_complains("0 syncs", REQUEST, SYNC, WRITE, REPLY)

    def test_a_sync_of_another_file_is_seen(self):
        self.assert_complains("0 syncs", REQUEST, WRITE, SYNC.replace("000004", "000005"), REPLY)

    def test_a_sync_that_failed_is_seen(self):
        self.assert_complains("0 syncs", REQUEST, WRITE, SYNC.replace("= 0", "= -1 EIO (Input/output error)"), REPLY)

    def test_a_write_before_the_request_is_seen(self):
        self.assert_complains("not written", WRITE, REQUEST, SYNC, REPLY)

    def test_a_request_without_a_reply_is_seen(self):
        self.assert_complains("no request and its reply", REQUEST, WRITE, SYNC)


class TracedTest(node.NodeTest):
    def start_traced(self, *expressions, path=None, **options):
        """A node under strace. A `path` is relative to its data directory."""
        self.n1 = self.node()
        self.trace = os.path.join(self.directory, "trace")
        path = path and os.path.join(self.n1.data_dir, path)
        return self.n1.start(tracer=strace.strace(self.trace, *expressions, path=path), **options)


class OrderTest(TracedTest):
    def test_each_set_alone_is_synced_once_between_request_and_reply(self):
        self.start_traced("trace=recvmsg,sendmsg,write,pwrite64,writev,fsync,fdatasync")
        values = [b"value-%04d-of-the-trace" % i for i in range(50)]
        for i, value in enumerate(values):
            self.n1.kv.Set(kv_pb2.SetRequest(key=b"k%d" % i, value=value), timeout=node.DEADLINE)
        self.assertEqual(self.n1.stop()[0], 0)
        self.assertEqual(complaints(strace.read_calls(node.read_text(self.trace)), values), [])


class BrokenDiskTest(TracedTest):
    """Calls fail on the log alone, from a few calls on."""

    # RocksDB's log in a directory that was founded now: strace must know its name before it is there.
    WAL = "state/000004.log"

    def start_with_broken_disk(self, failure):
        call = failure.split(":")[0]
        self.start_traced("trace=" + call, "inject=" + failure, path=self.WAL)
        self.assertTrue(os.path.exists(os.path.join(self.n1.data_dir, self.WAL)), "RocksDB's log has another name now")

    def set_until_it_fails(self):
        """What was acknowledged, and the key of the set that was not."""
        acknowledged = {}
        # Each thread of the node has some calls before the first that fails.
        for i in range(1000):
            key = b"k%d" % i
            try:
                self.n1.kv.Set(kv_pb2.SetRequest(key=key, value=b"v%d" % i), timeout=node.DEADLINE)
            except grpc.RpcError as error:
                self.assertIn(error.code(), (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN))
                return acknowledged, key
            acknowledged[key] = b"v%d" % i
        self.fail("1,000 sets were acknowledged on a disk that fails")

    def assert_stops_and_keeps_its_word(self, failure, says):
        self.start_with_broken_disk(failure)
        acknowledged, in_doubt = self.set_until_it_fails()
        self.assertEqual(self.n1.wait(), 1)
        last_words = self.n1.log()[self.n1.log().index("error: the store failed: "):]
        self.assertIn(says, last_words)
        self.assertIn("\n  see to the disk, then start it again\n", last_words)
        self.assertGreater(len(acknowledged), 0)

        self.n1.start()
        for key, value in acknowledged.items():
            self.assertEqual(self.n1.kv.Get(kv_pb2.GetRequest(key=key)).value, value)
        try:
            self.assertEqual(self.n1.kv.Get(kv_pb2.GetRequest(key=in_doubt)).value, in_doubt.replace(b"k", b"v"))
        except grpc.RpcError as error:
            self.assertEqual(error.code(), grpc.StatusCode.NOT_FOUND)
        self.n1.kv.Set(kv_pb2.SetRequest(key=in_doubt, value=b"again"))

    def test_a_sync_that_fails_ends_the_node_and_nothing_acknowledged_is_lost(self):
        self.assert_stops_and_keeps_its_word("fdatasync:error=EIO:when=5+", "Input/output error")

    def test_a_write_that_fails_ends_the_node_and_nothing_acknowledged_is_lost(self):
        self.assert_stops_and_keeps_its_word("write:error=EIO:when=5+", "Input/output error")

    def test_a_full_disk_is_named_ends_the_node_and_nothing_acknowledged_is_lost(self):
        self.assert_stops_and_keeps_its_word("write:error=ENOSPC:when=5+", "is full")

    def test_a_failure_that_passes_is_not_taken_for_success(self):
        # The kernel reports a lost write once; the next sync says that all is well.
        self.start_with_broken_disk("fdatasync:error=EIO:when=5")
        acknowledged, _ = self.set_until_it_fails()
        self.assertEqual(self.n1.wait(), 1)
        self.n1.start()
        for key, value in acknowledged.items():
            self.assertEqual(self.n1.kv.Get(kv_pb2.GetRequest(key=key)).value, value)

    def test_a_disk_that_is_full_at_the_start_is_said(self):
        self.start_traced("trace=write", "inject=write:error=ENOSPC", path="NODE.tmp", await_ready=False)
        self.assertEqual(self.n1.wait(), 1)
        self.assertRegex(self.n1.log(), r"error: cannot write \S+/NODE: No space left on device\n  free some space")
        self.n1.start()

    def test_a_sync_that_fails_at_the_start_is_said(self):
        self.start_traced("trace=fsync", "inject=fsync:error=EIO", path="NODE.tmp", await_ready=False)
        self.assertEqual(self.n1.wait(), 1)
        self.assertRegex(self.n1.log(), r"error: cannot write \S+/NODE: Input/output error\n")
        self.n1.start()


if __name__ == "__main__":
    claims.main()
