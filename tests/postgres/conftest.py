import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A folder that every user can enter and write to. Only our user can enter pytest's own folders."""
    folder = Path(tempfile.mkdtemp(prefix="clearwindow-test-")).resolve()
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(open_dir: Path) -> Path:
    return open_dir / "data"
