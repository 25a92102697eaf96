#!/usr/bin/env bash
# Runs a test in Debian's Python, from the root of the runfiles.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
exec /usr/bin/python3 "$@"
