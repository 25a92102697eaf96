"""Tests in Python that start the programs."""

def process_test(name, main = None, args = [], tags = [], data = []):
    """A test of the cases in `main` (`name`.py), which get `args`, and find `data` where they are in the tree."""
    main = main or name + ".py"
    native.sh_test(
        name = name,
        # A minute at most on an idle machine; the rest is for a busy one.
        size = "medium",
        srcs = ["run_python.sh"],
        args = ["$(location %s)" % main] + args,
        data = [
            main,
            "claims.py",
            "node.py",
            "strace.py",
            ":libhold_syncs.so",
            ":stubs",
            "//apps:troupe",
            "//apps:troupe-node",
        ] + data,
        tags = tags,
    )
