"""Only `serve` waits for the web framework, and nothing for what traces: importing them takes long."""

from __future__ import annotations

import subprocess
import sys

_IMPORT = """
import sys
import clearwindow.bootstrap, clearwindow.ledger.schemas, clearwindow.cli.token_issue
print(*sorted({"fastapi", "uvicorn", "opentelemetry.sdk"} & set(sys.modules)))
"""


def test_only_a_server_imports_the_web_framework() -> None:
    done = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert done.stdout.split() == []
