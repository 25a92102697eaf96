"""C++ and Python from our .proto files, by Debian's protoc and its gRPC plugins."""

load("@rules_cc//cc:defs.bzl", "cc_library")

# Generated code is not ours to keep free of warnings.
_COPTS = ["-w"]

def troupe_proto(name, src, services = False, deps = [], visibility = None):
    """A cc_library `name` of the messages in `src`, and with `services` another, `name`_grpc, of its stubs.

    The stubs are apart because gRPC's headers cost seconds a file: only what serves or calls takes them.
    """
    base = src[:-len(".proto")]
    all_protos = native.glob(["troupe/**/*.proto"])
    native.genrule(
        name = name + "_cc",
        srcs = all_protos,
        outs = [base + ".pb.h", base + ".pb.cc"],
        cmd = "protoc -Iproto --cpp_out=$(RULEDIR) proto/" + src,
    )
    cc_library(
        name = name,
        srcs = [base + ".pb.cc"],
        hdrs = [base + ".pb.h"],
        copts = _COPTS,
        # The .proto files import each other from proto/, so the generated files do too.
        includes = ["."],
        visibility = visibility,
        deps = deps + ["//third_party:protobuf"],
    )
    if not services:
        return
    native.genrule(
        name = name + "_grpc_cc",
        srcs = all_protos,
        outs = [base + ".grpc.pb.h", base + ".grpc.pb.cc"],
        cmd = "protoc -Iproto --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin --grpc_out=$(RULEDIR) proto/" + src,
    )
    cc_library(
        name = name + "_grpc",
        srcs = [base + ".grpc.pb.cc"],
        hdrs = [base + ".grpc.pb.h"],
        copts = _COPTS,
        includes = ["."],
        visibility = visibility,
        deps = [":" + name, "//third_party:grpc"],
    )
