"""Workers that are jobs of a queueing system: a made-up SLURM whose programs run each job on this machine."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

import hdrq
from hdrq.cli import main
from hdrq.cluster.connect import connect
from hdrq.cluster.workers import ClusterError
from hdrq.records import Image

pytest.importorskip("distributed")
pytest.importorskip("dask_jobqueue")
pytestmark = pytest.mark.skipif(
    os.name != "posix", reason="the made-up programs of the queue are shell scripts"
)
TESTS = Path(__file__).parents[1]
SBATCH = """#!/bin/sh
for script; do :; done
cp "$script" "{home}/script.$$"
setsid sh "{home}/script.$$" >"{home}/log.$$" 2>&1 </dev/null &
echo $! >>"{home}/submitted"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
echo "$1" >>"{home}/cancelled"
kill -KILL -- "-$1"
"""
SETTINGS = """
kind = "slurm"
jobs = 2

[settings]
queue = "normal"
cores = 1
processes = 1
memory = "4GB"
walltime = "00:20:00"
scheduler_options = {host = "127.0.0.1", dashboard_address = ":0"}
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch) -> Path:
    """A folder with sbatch and scancel, which are found before others; what they do is noted there."""
    home = tmp_path / "slurm"
    home.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (home / name).write_text(text.format(home=home))
        (home / name).chmod(0o755)
    (home / "jobs.toml").write_text(SETTINGS)
    monkeypatch.setenv("PATH", f"{home}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(hdrq.__file__).parents[1]), str(TESTS)]))
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    yield home
    for job in numbers(home / "submitted"):
        with suppress(ProcessLookupError):
            os.killpg(job, signal.SIGKILL)


def numbers(file: Path) -> list[int]:
    return sorted(map(int, file.read_text().split())) if file.exists() else []


def ended(process: int) -> bool:
    """Whether a session has no process any more, after some time for its end."""
    for _ in range(400):
        try:
            os.killpg(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def at_prompt(*arguments: object, code: int = 0) -> None:
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    assert left.value.code == code


def test_jobs_give_the_file_of_one_process_and_are_cancelled_at_the_end(slurm, tmp_path, capsys):
    lines = ["ref,dist"]
    for i in range(21):
        pixels = 5 + 90 * torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(i))
        hdrq.write(tmp_path / f"i{i}.exr", Image(pixels), depth="float")
        lines.append(f"i0.exr,i{i}.exr")
    (tmp_path / "list.csv").write_text("\n".join(lines[:1] + lines[2:]) + "\n")
    for name, more in (("one", ()), ("many", ("--cluster", slurm / "jobs.toml"))):
        at_prompt(
            "score",
            "--pairs",
            tmp_path / "list.csv",
            "-m",
            "pu-psnr,pu-ssim",
            "-o",
            tmp_path / f"{name}.csv",
            *more,
        )
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "many.csv").read_bytes()
    assert "2 slurm jobs are submitted" in capsys.readouterr().err
    jobs = numbers(slurm / "submitted")
    assert len(jobs) == 2
    assert numbers(slurm / "cancelled") == jobs
    assert all(map(ended, jobs))
    script = next(slurm.glob("script.*")).read_text()
    assert "#SBATCH -p normal" in script
    assert "#SBATCH -t 00:20:00" in script


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("#!/bin/sh\necho 'sbatch: error: invalid partition specified: normal' >&2\nexit 1\n",
         "slurm takes no job: sbatch: error: invalid partition specified: normal"),
        ("#!/bin/sh\necho nothing\n", "slurm takes no job: Could not parse job id"),
        (None, r"sbatch cannot be run here \(No such file or directory\)"),
    ],
)  # fmt: skip
def test_a_queue_that_takes_no_job_is_one_line(slurm, monkeypatch, program, says):
    if program is None:
        (slurm / "sbatch").unlink()
        monkeypatch.setenv("PATH", str(slurm))
    else:
        (slurm / "sbatch").write_text(program)
    start = time.monotonic()
    with pytest.raises(ClusterError, match=rf"jobs\.toml: {says}"), connect(str(slurm / "jobs.toml"), print):
        pass
    assert time.monotonic() - start < 120  # not the week that it waits for jobs in a queue
    assert numbers(slurm / "cancelled") == []


def test_jobs_that_were_taken_are_cancelled_where_another_is_refused(slurm):
    counted = SBATCH.format(home=slurm).replace(
        "#!/bin/sh\n", f"#!/bin/sh\nmkdir {slurm}/first 2>/dev/null || {{ echo no more >&2; exit 1; }}\n"
    )
    (slurm / "sbatch").write_text(counted)
    with pytest.raises(ClusterError, match="takes no job: no more"), connect(str(slurm / "jobs.toml"), print):
        pass
    assert len(numbers(slurm / "submitted")) == 1
    assert numbers(slurm / "cancelled") == numbers(slurm / "submitted")
