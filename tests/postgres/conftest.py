import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A folder that any user may enter and write to, as pytest's own are closed to all but us."""
    folder = Path(tempfile.mkdtemp(prefix="clearwindow-test-")).resolve()
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(open_dir: Path) -> Path:
    return open_dir / "data"
