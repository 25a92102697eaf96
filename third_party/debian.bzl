"""Repositories made from Debian 12's packages, so that a build needs no network."""

def _copy(repository_ctx, source):
    result = repository_ctx.execute(["cp", "-rL", source + "/.", "."])
    if result.return_code != 0:
        fail("cannot copy %s: %s\nInstall what is missing with: ./run setup" % (source, result.stderr))

def _rules_cc_impl(repository_ctx):
    _copy(repository_ctx, "/usr/share/bazel/rules/cc")

    # rules_cc 0.0.4 loads use_cpp_toolchain, which Bazel 4.2 does not have yet. All it does there is name
    # this toolchain type.
    for name in ["cc_flags_supplier", "compiler_flag"]:
        path = "cc/private/rules_impl/%s.bzl" % name
        text = repository_ctx.read(path)
        text = text.replace(', "use_cpp_toolchain"', "")
        text = text.replace("use_cpp_toolchain()", '["@bazel_tools//tools/cpp:toolchain_type"]')
        repository_ctx.file(path, text)

debian_rules_cc = repository_rule(implementation = _rules_cc_impl, local = True)

def _coverage_stub_impl(repository_ctx):
    repository_ctx.file("WORKSPACE", "")
    repository_ctx.file("BUILD.bazel", """
filegroup(
    name = "coverage_report_generator",
    srcs = [],
    visibility = ["//visibility:public"],
)
""")

coverage_stub = repository_rule(implementation = _coverage_stub_impl)
