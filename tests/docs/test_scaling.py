"""The page on scaling: its code runs on a local Ray, and finds what one process finds."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from gatewise import Transcriber

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
# A small cluster in this process's place, that leaves nothing behind and says nothing.
BEGIN = "import ray\nray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir={folder!r})\n"


def test_a_folder_is_read_by_workers_of_ray(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "lines").mkdir()
    paths = [tmp_path / "lines" / f"{k:02}.npy" for k in range(24)]
    for path in paths:
        np.save(path, rng.normal(size=(20, 3)).astype(np.float32))
    reader = Transcriber("blstm", hidden_size=4, max_epochs=2, threads=1)
    reader.fit(paths, ["ab" if k % 2 else "ba" for k in range(24)]).save(tmp_path / "reader")
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    with tempfile.TemporaryDirectory(prefix="ray") as folder:  # sockets lie in it, whose paths have to be short
        argv = [sys.executable, "-c", BEGIN.format(folder=folder) + code]
        done = subprocess.run(
            argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
    assert done.returncode == 0, done.stderr
    found = pq.read_table(tmp_path / "texts").to_pylist()
    texts = {row["path"]: row["text"] for row in found}
    assert texts == dict(zip(map(str, paths), reader.predict(paths), strict=True))
