"""Workers that are jobs of a queueing system: a made-up SLURM whose programs run each job on this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import hdrq
from cluster_jobs import Squares
from hdrq.cli import main
from hdrq.cluster.connect import connect
from hdrq.cluster.queued import _Jobs, job_of
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


def test_a_job_that_has_ended_is_submitted_again(slurm, tmp_path, monkeypatch):
    """All at once, workers and their nanny, as at the end of its time."""
    monkeypatch.setattr("hdrq.cluster.queued.CHECK", 0.1)
    monkeypatch.setattr("hdrq.cluster.queued.GONE", 0.5)
    monkeypatch.setattr("hdrq.cluster.connect.QUEUED", 60.0)
    text = SETTINGS.replace("jobs = 2", "jobs = 1").replace("cores = 1", "cores = 2")
    (slurm / "jobs.toml").write_text(text.replace("processes = 1", "processes = 2"))
    said: list[str] = []

    def end(item, result):
        if item == 3:
            assert os.killpg(numbers(slurm / "submitted")[0], signal.SIGKILL) is None

    with connect(str(slurm / "jobs.toml"), said.append) as cluster:
        found = list(cluster(Squares(str(tmp_path)), range(400), total=400, done=end))
    assert [square for square, _ in found] == [i * i for i in range(400)]
    assert len(numbers(slurm / "submitted")) == 2
    assert "it is submitted again" in said[-1]
    assert all(map(ended, numbers(slurm / "submitted")))


def test_workers_are_those_of_the_job_that_their_names_begin_with():
    assert job_of("SLURM-1", ["SLURM-1", "SLURM-11"]) == "SLURM-1"
    assert job_of("SLURM-11-0", ["SLURM-1", "SLURM-11"]) == "SLURM-11"
    assert job_of("tcp://far:1", ["SLURM-1"]) == ""


def test_jobs_that_end_soon_are_submitted_after_longer_and_longer_pauses(monkeypatch):
    now, refused, submitted, said = [0.0], [], [], []
    monkeypatch.setattr("hdrq.cluster.queued.time.monotonic", lambda: now[0])

    class Queue:
        def __init__(self):
            self.worker_spec, self.workers = {"J-0": {}}, {}
            self.scheduler = SimpleNamespace(workers={})

        def scale(self, jobs):
            assert jobs == 1

        async def _correct_state(self):
            if refused:
                raise RuntimeError(f"stderr: {refused[0]}")
            submitted.append(now[0])

    queue = Queue()
    jobs = _Jobs(queue, "slurm", 1, said.append)

    async def live(seconds: int, until: int) -> list[float]:
        """A job that has a worker for some time, and is checked each second; when it was submitted since it had none."""
        begun, before = now[0], len(submitted)
        while now[0] < begun + until:
            there = now[0] < begun + seconds
            queue.scheduler.workers = {"tcp://a": SimpleNamespace(name="J-0")} if there else {}
            await jobs.check()
            now[0] += 1
        return [when - begun - seconds for when in submitted[before:]]

    async def lives() -> list[list[float]]:
        found = [await live(seconds, until) for seconds, until in ((90, 200), (5, 50), (5, 200), (5, 200))]
        refused.append("no more")
        found.append(await live(90, 200))
        refused.clear()
        return [*found, await live(0, 61)]

    assert asyncio.run(lives()) == [[20], [20], [80], [140], [], [30]]
    assert [line for line in said if "no more" in line] == [
        "hdrq: slurm takes no job: no more; the next attempt is in 60 seconds"
    ]
