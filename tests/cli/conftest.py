from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that root's unprivileged PostgreSQL may enter, as pytest's own are closed to all but us."""
    folder = Path(tempfile.mkdtemp(prefix="clearwindow-test-")).resolve()
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)
