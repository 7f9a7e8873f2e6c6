"""The same work on a scheduler's workers: deaths, resumption, versions, and files equal to those of one process."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import hdrq
from cluster_jobs import Squares
from hdrq import process as own_process
from hdrq.cli import main
from hdrq.cli.score import score as score_command
from hdrq.cluster.connect import connect
from hdrq.cluster.pace import MOST, Chunk, Pace
from hdrq.cluster.spread import Cluster, _Division
from hdrq.cluster.workers import ClusterError, Unfit, Workers
from hdrq.errors import FileError, HdrqError, UsageError
from hdrq.io.rows import read_rows
from hdrq.records import Image
from hdrq.work import Needs, here

distributed = pytest.importorskip("distributed")
HERE = Path(__file__).parents[1]
METRICS = "pu-psnr,pu-ssim"


def environment() -> dict[str, str]:
    paths = [str(Path(hdrq.__file__).parents[1]), str(HERE)]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Address of a scheduler with two workers, each started by hand in a folder of its own."""
    started = []

    def start(name: str, *arguments: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        command = [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]]
        log = (folder / "log").open("w")
        started.append(
            subprocess.Popen(
                command, cwd=folder, env=environment(), stdout=log, stderr=log, start_new_session=True
            )
        )
        return folder

    told = start("scheduler", "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                 "--scheduler-file", "told.json") / "told.json"  # fmt: skip
    for number in (1, 2):
        start(f"worker{number}", "dask_worker", "--scheduler-file", str(told), "--host", "127.0.0.1",
              "--nthreads", str(torch.get_num_threads()), "--no-dashboard", "--memory-limit", "0")  # fmt: skip
    address = ""
    for _ in range(1200):
        with suppress(OSError, ValueError):
            import json

            address = json.loads(told.read_text())["address"]
            break
        time.sleep(0.05)
    with distributed.Client(address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield address
    for process in started:
        if sys.platform == "win32":
            process.kill()
        else:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def cluster(scheduler):
    with connect(scheduler, lambda line: None) as found:
        yield found


def light(path: Path, seed: int) -> Path:
    random = torch.Generator().manual_seed(seed)
    hdrq.write(path, Image(5 + 90 * torch.rand(1, 3, 32, 32, generator=random)), depth="float")
    return path


@pytest.fixture(scope="module")
def listed(tmp_path_factory) -> Path:
    """A manifest of 40 pairs, one of which cannot be read."""
    home = tmp_path_factory.mktemp("pairs")
    light(home / "r.exr", 0)
    lines = ["ref,dist,note"]
    for i in range(40):
        light(home / f"d{i}.exr", i + 1)
        lines.append(f"r.exr,d{i}.exr,n{i}")
    (home / "d5.exr").write_bytes(b"")
    (home / "list.csv").write_text("\n".join(lines) + "\n")
    return home / "list.csv"


@pytest.fixture(scope="module")
def whole(listed) -> bytes:
    out = listed.with_name("whole.csv")
    run("--pairs", listed, "-m", METRICS, "-o", out)
    return out.read_bytes()


def run(*arguments: object, code: int = 1) -> str:
    done = CliRunner().invoke(score_command, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def test_the_file_is_that_of_one_process(scheduler, listed, whole, tmp_path):
    out = tmp_path / "out.csv"
    said = run("--pairs", listed, "-m", METRICS, "-o", out, "--cluster", scheduler)
    assert out.read_bytes() == whole
    assert "d5.exr is empty" in said
    assert not out.with_name("out.csv.part").exists()


def test_relative_paths_are_those_of_the_driver(scheduler, listed, whole, tmp_path, monkeypatch):
    monkeypatch.chdir(listed.parent)
    run("--pairs", "list.csv", "-m", METRICS, "-o", tmp_path / "one.csv")
    run("--pairs", "list.csv", "-m", METRICS, "-o", tmp_path / "two.csv", "--cluster", scheduler)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes() != whole


def test_finished_rows_are_used_again_in_whatever_order_they_came(
    scheduler, listed, whole, tmp_path, monkeypatch
):
    import json

    from hdrq.io.rows import typed

    out = tmp_path / "out.csv"
    rows = [typed(r) for r in read_rows(listed.with_name("whole.csv")) if r["status"] == "ok"]
    journal = out.with_name("out.csv.part")
    journal.write_text("".join(json.dumps(r) + "\n" for r in (*rows[40:60], *rows[:7])))
    run("--pairs", listed, "-m", METRICS, "-o", out, "--cluster", scheduler, "--resume")
    assert out.read_bytes() == whole


def test_shards_of_a_cluster_run_hold_every_nth_pair(scheduler, listed, whole, tmp_path):
    out = tmp_path / "out.csv"
    run("--pairs", listed, "-m", METRICS, "-o", out, "--shard", "2/20", "--cluster", scheduler, code=0)
    assert [Path(r["dist"]).stem for r in read_rows(out)] == ["d1", "d1", "d21", "d21"]


def test_results_come_in_order_and_each_worker_begins_once(cluster, tmp_path):
    told: list[int] = []
    found = list(
        cluster(Squares(str(tmp_path)), range(300), total=300, done=lambda item, _: told.append(item))
    )
    assert [square for square, _ in found] == [i * i for i in range(300)]
    workers = {worker for _, worker in found}
    assert len(workers) == 2
    assert {p.name for p in tmp_path.glob("begun-*")} == {f"begun-{w}" for w in workers}
    assert sorted(told) == list(range(300))
    assert list(cluster(Squares(str(tmp_path)), [])) == []


def test_a_worker_that_dies_costs_its_chunk_again_and_nothing_else(cluster, tmp_path):
    job = Squares(str(tmp_path), once=(7, 150))
    found = list(cluster(job, range(200), total=200))
    assert [square for square, _ in found] == [i * i for i in range(200)]
    assert len(list(tmp_path.glob("item-*"))) == 200
    assert list(tmp_path.glob(".hdrq-*")) == []


def test_an_item_that_ends_its_workers_is_lost_and_no_other(cluster, tmp_path):
    found = list(cluster(Squares(str(tmp_path), deadly=(3,)), range(12), total=12))
    assert [square for square, _ in found] == [i * i if i != 3 else -1 for i in range(12)]
    assert 3 <= len(list(tmp_path.glob("try-3-*"))) <= 4  # three times by itself, perhaps in a chunk before
    assert list(tmp_path.glob(".hdrq-*")) == []


def test_what_dies_while_it_begins_did_not_die_of_an_item(tmp_path):
    with connect("local:1", print, "cpu") as cluster:
        found = list(cluster(Squares(str(tmp_path), fatal=4), range(6), total=6))
    assert [square for square, _ in found] == [i * i for i in range(6)]
    assert len(list(tmp_path.glob("begun-*"))) == 5


def test_a_job_that_nothing_can_begin_ends_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("hdrq.cluster.spread.BEGINNINGS", 3)
    with (
        pytest.raises(ClusterError, match="3 worker processes ended while they loaded what the work needs"),
        connect("local:1", print, "cpu") as cluster,
    ):
        list(cluster(Squares(str(tmp_path), fatal=99), range(6), total=6))


def test_a_worker_that_comes_late_does_not_hold_up_the_end(tmp_path):
    """It is still beginning the job when all items are done."""

    class Future:
        key = "begins"

        def cancel(self):
            pass

    division = _Division(Cluster(None, 1.0, print), Squares(str(tmp_path)), iter(()), 0, None, Needs())
    division.exhausted, division._refresh_workers, division._send = True, lambda: None, lambda: None
    division.sent = {"late": deque([(Chunk(-1, []), Future())])}
    division._wait = lambda: pytest.fail("waits for it")
    assert list(division.results()) == []


def test_a_pair_that_ends_its_workers_is_a_failed_row(listed):
    from hdrq.encoding.photometry import Photometry
    from hdrq.records import Pair
    from hdrq.scoring.batch import Settings
    from hdrq.scoring.work import Item, ScoreJob

    job = ScoreJob(("pu21:psnr", "pu21:ssim"), Photometry(), Settings())
    rows = job.lost(Item(Pair(ref="r.exr", dist="d.exr"), ("pu21:ssim",)), "3 worker processes ended")
    assert [(r.metric, r.status, r.error) for r, _ in rows] == [
        ("pu21:ssim", "failed", "d.exr: 3 worker processes ended")
    ]


def test_chunks_share_a_reference_and_notice_when_it_changes(tmp_path, monkeypatch):
    from hdrq.encoding.photometry import Photometry
    from hdrq.records import Pair
    from hdrq.scoring import prefetch
    from hdrq.scoring.batch import Settings
    from hdrq.scoring.work import Item, ScoreJob

    read: list[str] = []
    original = prefetch.read_selected
    monkeypatch.setattr(
        prefetch,
        "read_selected",
        lambda path, select: (read.append(Path(path).stem), original(path, select))[1],
    )
    light(tmp_path / "r.exr", 0)
    items = [
        Item(Pair(ref=tmp_path / "r.exr", dist=light(tmp_path / f"d{i}.exr", i)), ("pu21:psnr",))
        for i in (1, 2, 3)
    ]
    job = ScoreJob(("pu21:psnr",), Photometry(), Settings())
    alone = [row for item in items for row in next(iter(job.begin()([item])))]
    read.clear()
    work = job.begin()
    chunks = [list(work(items[:2])), list(work(items[2:])), list(work(items[:1]))]
    assert [row for chunk in chunks[:2] for rows in chunk for row in rows] == alone
    assert read == ["r", "d1", "d2", "d3", "d1"]  # of test images none is kept
    light(tmp_path / "r.exr", 9)
    (((after, _),),) = work(items[:1])
    assert read[5:] == ["r", "d1"]
    assert after.value != alone[0][0].value


def test_an_error_of_the_work_is_an_error_of_the_run(cluster, tmp_path):
    with pytest.raises(HdrqError, match="5 is wrong"):
        list(cluster(Squares(str(tmp_path), wrong=5), range(10)))
    assert [s for s, _ in cluster(Squares(str(tmp_path)), range(3))] == [0, 1, 4]


def test_fail_fast_stops_a_cluster_run(scheduler, listed, tmp_path):
    out = tmp_path / "out.csv"
    with pytest.raises(HdrqError, match="is empty"):
        run("--pairs", listed, "-m", METRICS, "-o", out, "--cluster", scheduler, "--fail-fast")
    assert not out.exists()


def test_another_version_is_refused_before_any_work(scheduler, listed, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hdrq, "__version__", "9.9")
    monkeypatch.setattr(sys, "argv", ["hdrq"])
    with pytest.raises(SystemExit) as left:
        main(
            [
                "score",
                "--pairs",
                str(listed),
                "-m",
                METRICS,
                "--cluster",
                scheduler,
                "-o",
                str(tmp_path / "o.csv"),
            ]
        )
    said = capsys.readouterr().err.splitlines()
    assert left.value.code == 2
    assert len(said) == 1
    assert "has hdrq 0.1.0, and this process 9.9; install one version on all machines" in said[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"python": "3.4"}, "runs Python 3.4"),
        ({"hdrq": None, "source": None}, "has no hdrq; install hdrq"),
        ({"source": "0" * 8}, "with other source files"),
        ({"torch": "1.0"}, "has torch 1.0"),
        ({"sizes": [None, -1]}, "does not see .*list.csv; all machines need the same file system"),
        ({"sizes": [1, -1]}, "has another file at .*list.csv"),
    ],
)
def test_a_worker_that_would_not_compute_the_same_is_named(listed, tmp_path, change, says):
    from hdrq.cluster.worker import installation_report

    class Client:
        def nthreads(self):
            return {"tcp://far:1": 1}

        def run(self, hello, folder, paths, workers, on_error):
            return {"tcp://far:1": hello(folder, paths) | ({"host": "far"} | change if self.changed else {})}

    client = Client()
    client.changed = True
    assert installation_report()("", [])["hdrq"] == hdrq.__version__
    workers = Workers(client, Needs((str(listed), str(tmp_path))), print)
    with pytest.raises(Unfit, match=f"worker tcp://far:1 on far.* {says}"):
        workers.refresh()
    client.changed = False
    assert workers.refresh() == []
    assert workers.threads == {"tcp://far:1": 1}


def test_a_worker_that_comes_later_and_is_unfit_is_left_out(tmp_path):
    said: list[str] = []

    class Client:
        def __init__(self):
            self.there = {"tcp://a:1": 2}

        def nthreads(self):
            return dict(self.there)

        def run(self, hello, folder, paths, workers, on_error):
            return {a: hello(folder, paths) | ({"torch": "1.0"} if a == "tcp://b:1" else {}) for a in workers}

    client = Client()
    workers = Workers(client, Needs(folders=(str(tmp_path),)), said.append)
    workers.refresh()
    client.there = {"tcp://b:1": 1, "tcp://c:1": 4}
    assert workers.refresh() == ["tcp://a:1"]
    assert workers.threads == {"tcp://c:1": 4}
    workers.refresh()
    assert len(said) == 1
    assert "left out" in said[0]
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_scheduler_is_one_line(monkeypatch, listed, capsys):
    monkeypatch.setattr("hdrq.cluster.connect.ANSWER", 0.3)
    with pytest.raises(SystemExit) as left:
        main(["score", "--pairs", str(listed), "-m", METRICS, "--cluster", "tcp://127.0.0.1:9"])
    said = capsys.readouterr().err.splitlines()
    assert left.value.code == 3
    assert said == ["hdrq: no scheduler answers at tcp://127.0.0.1:9; start one: dask scheduler"]


def test_a_scheduler_without_workers_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr("hdrq.cluster.connect.PATIENCE", 0.3)
    told = tmp_path / "told.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
               "--no-dashboard", "--scheduler-file", str(told)]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if told.exists() and told.stat().st_size:
                break
            time.sleep(0.05)
        import json

        address = json.loads(told.read_text())["address"]
        with (
            pytest.raises(ClusterError, match=f"no worker came to {address} .* dask worker {address}"),
            connect(address, print),
        ):
            pass
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "kind is one of slurm"),
        ('kind = "slurm"', "jobs is the number"),
        ('kind = "slurm"\njobs = 0', "jobs is the number"),
        ('kind = "slurm"\njobs = 2\nqueue = "x"', "queue is not known"),
        ("kind = ", "is not TOML"),
        (
            'kind = "slurm"\njobs = 2\n[settings]\ncores = 1\nmemory = "1GB"\nnosuch = 1',
            "refuses the settings",
        ),
    ],
)
def test_a_file_of_jobs_is_checked(tmp_path, text, says):
    file = tmp_path / "slurm.toml"
    file.write_text(text)
    with pytest.raises((FileError, UsageError), match=says), connect(str(file), print):
        pass


@pytest.mark.parametrize("where", ["nowhere", "local:x", "http://a:1", "local:"])
def test_another_place_is_refused(where):
    with pytest.raises(UsageError, match="--cluster is local"), connect(where, print):
        pass


def test_each_process_of_this_machine_has_a_gpu_of_its_own(monkeypatch):
    from hdrq.cluster.local import gpus_for

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus_for("auto") == ["0", "1"]
    assert gpus_for("cpu") == []
    with pytest.raises(
        UsageError, match="this machine has 2 GPUs, and one process works on each; use local:2"
    ):
        connect("local:3", print).__enter__()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-7")
    assert gpus_for("auto") == ["5", "GPU-7"]


def test_a_driver_that_is_killed_resumes_to_the_same_file(scheduler, listed, whole, tmp_path):
    out = tmp_path / "out.csv"
    command = [sys.executable, "-m", "hdrq", "score", "--pairs", str(listed), "-m", METRICS, "-o", str(out)]
    command += ["--resume", "--cluster"]
    first = subprocess.Popen([*command, scheduler], env=environment(), stderr=subprocess.DEVNULL)
    journal = out.with_name("out.csv.part")
    while not journal.exists() and first.poll() is None:
        time.sleep(0.01)
    first.kill()
    first.wait()
    subprocess.run([*command, "local:2"], env=environment(), stderr=subprocess.DEVNULL, check=False)
    assert out.read_bytes() == whole
    assert not journal.exists()


def test_dask_is_imported_for_a_cluster_only(listed):
    code = f"import sys\nfrom hdrq.cli import main\ntry: main(['score', '--pairs', {str(listed)!r}, '-m', 'pu-psnr'])\n"
    code += "finally: print(any(m in sys.modules for m in ('dask', 'distributed', 'pyarrow', 'fsspec')), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "False"


def test_chunks_grow_with_the_measured_time_and_shrink_at_the_end():
    pace = Pace()
    assert pace.size(None, 2) == 1
    pace.measure(1, 0.001)
    assert pace.size(None, 2) == 4
    pace.measure(4, 0.004)
    assert pace.size(1000, 2) == 16
    assert pace.size(20, 2) == 5
    assert pace.size(0, 2) == 1
    for _ in range(20):
        pace.measure(MOST, 0.001 * MOST)
    assert pace.size(None, 2) == MOST
    for _ in range(20):
        pace.measure(400, 4.0)
    assert pace.size(None, 2) == 400
    pace.measure(1, 9.0)
    assert pace.size(None, 2) == 1


@pytest.mark.skipif(
    own_process._glibc() is None, reason="the C library here is not glibc, or is configured by the user"
)
def test_workers_keep_freed_memory_although_dask_sets_the_allocator(cluster, tmp_path):
    list(cluster(Squares(str(tmp_path)), range(40), total=40))
    kept = cluster.client.run(
        lambda: (os.environ["MALLOC_TRIM_THRESHOLD_"], own_process._keeping is not None)
    )
    assert len(kept) == 2
    assert set(kept.values()) == {("65536", True)}


def test_the_last_items_wait_for_the_workers_that_are_free_first(tmp_path):
    sent: list[tuple[str, int]] = []

    class Future:
        def __init__(self, key):
            self.key = key

        def add_done_callback(self, call):
            pass

    class Client:
        def submit(self, work, digest, job, items, *rest, key, workers, **options):
            sent.append((workers[0], len(pickle.loads(items))))
            return Future(key)

    def division(total: int | None) -> _Division:
        found = _Division(Cluster(Client(), 1.0, print), Squares(str(tmp_path)), iter(range(total or 9)), total, None,
                          Needs())  # fmt: skip
        found.workers.threads = {"a": 1, "b": 1}
        found.sent = {"a": deque(), "b": deque()}
        return found

    division(9)._send()
    assert sent == [("a", 1), ("b", 1), ("a", 1), ("b", 1)]
    sent.clear()
    division(4)._send()
    assert sent == [("a", 1), ("b", 1)]
    sent.clear()
    division(None)._send()
    assert len(sent) == 4


def test_processes_of_this_machine_change_nothing_of_this_one(monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("MKL_NUM_THREADS", "MALLOC_ARENA_MAX"):
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    with connect("local:1", print, "cpu") as cluster:
        list(cluster(Squares(str(tmp_path)), [1]))
        if own_process._glibc() is not None:
            (kept,) = cluster.client.run(lambda: own_process._keeping is not None).values()
            assert kept
        (threads,) = cluster.client.run(torch.get_num_threads).values()
        assert threads == 1
        assert dict(os.environ) == before
    assert dict(os.environ) == before


def running(word: str) -> list[int]:
    """Processes with this word in the command that started them."""
    import psutil

    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if any(word in part for part in process.info["cmdline"] or ()):
            found.append(process.info["pid"])
    return found


def test_a_process_of_this_machine_that_dies_is_replaced_and_none_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "mark")])  # which its command line states
    with connect("local:2", print, "cpu") as cluster:
        first = set(cluster.client.run(os.getpid).values())
        found = list(cluster(Squares(str(tmp_path), once=(3, 40), deadly=(11,)), range(60), total=60))
        assert [square for square, _ in found] == [i * i if i != 11 else -1 for i in range(60)]
        cluster.client.wait_for_workers(2, timeout=60)
        assert len(first - set(cluster.client.run(os.getpid).values())) == 2
        assert len(running(str(tmp_path / "mark"))) == 4  # their parent, a scheduler, two workers

        def interrupt(item, result):
            if (tmp_path / "waits").exists():
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(cluster(Squares(str(tmp_path), endless=0), range(4000), total=4000, done=interrupt))
        assert len(list(tmp_path.glob(".hdrq-*"))) == 1
    assert running(str(tmp_path / "mark")) == []
    assert list(tmp_path.glob(".hdrq-*")) == []


@pytest.mark.parametrize("served", [True, False])
def test_processes_of_this_machine_end_with_the_one_that_started_them(tmp_path, served):
    mark = str(tmp_path / "mark")
    code = f"import sys, time\nsys.path.append({mark!r})\nfrom hdrq.cluster.local import Processes\np = Processes()\n"
    code += (
        "print(p.serve([{'threads': 1, 'environment': {}}] * 2), flush=True)\n"
        if served
        else "print(1, flush=True)\n"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", code + "time.sleep(600)"], env=environment(), stdout=subprocess.PIPE
    )
    try:
        assert driver.stdout.readline()
        assert running(mark)
    finally:
        driver.kill()
        driver.wait()
    for _ in range(1200):
        if not running(mark):
            return
        time.sleep(0.05)
    pytest.fail("processes are left")


def test_a_command_that_is_refused_leaves_no_processes(listed, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "mark")])
    at_prompt("score", "--pairs", listed, "-m", "nosuch", "--cluster", "local:2", code=2)
    assert running(str(tmp_path / "mark")) == []


def test_processes_that_do_not_start_are_one_line(monkeypatch):
    monkeypatch.setattr("hdrq.cluster.local._PROGRAM", "raise SystemExit(7)")
    with (
        pytest.raises(ClusterError, match=r"did not start \(exit code 7\)"),
        connect("local:1", print, "cpu"),
    ):
        pass


def test_a_script_needs_no_guard_for_processes_of_this_machine(listed, tmp_path):
    code = "import hdrq\nwith hdrq.connect('local:1', print, 'cpu') as spread:\n"
    pair = str(listed.parent / "r.exr"), str(listed.parent / "d1.exr")
    code += f"    for row in hdrq.score({pair!r}, 'pu-psnr', spread=spread):\n"
    code += "        print(row.status)\n"
    (tmp_path / "script.py").write_text(code)
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"], env=environment(), capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1:] == ["ok"], done.stderr


def test_here_is_the_spread_of_one_process(tmp_path):
    told: list[int] = []
    found = list(here(Squares(str(tmp_path)), [3, 1], done=lambda item, _: told.append(item)))
    assert [square for square, _ in found] == [9, 1]
    assert told == [3, 1]


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def at_prompt(*arguments: object, code: int = 0) -> None:
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    assert left.value.code == code


@pytest.mark.parametrize(
    ("command", "suffix"),
    [
        (("encode", "--to", "pq"), ".png"),
        (("tonemap", "--operator", "reinhard"), ".png"),
        (("tonemap", "--expand", "kuo"), ".exr"),
    ],
    ids=lambda c: c[1].strip("-") if isinstance(c, tuple) else "",
)
def test_files_are_those_of_one_process(scheduler, listed, tmp_path, command, suffix):
    source = listed.parent
    if "--expand" in command:
        source = tmp_path / "code"
        source.mkdir()
        for i in range(4):
            code = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(i))
            hdrq.write(source / f"c{i}.png", Image(code, "srgb"))
    (name, *options), failed = command, "--expand" not in command  # d5.exr cannot be read
    for folder, more in (("one", ()), ("many", ("--cluster", scheduler))):
        (tmp_path / folder).mkdir()
        at_prompt(name, source, tmp_path / folder, *options, "--suffix", suffix, *more, code=int(failed))
    assert files(tmp_path / "one") == files(tmp_path / "many")
    assert len(files(tmp_path / "one")) == (40 if failed else 4)


def test_brackets_are_merged_as_by_one_process(scheduler, tmp_path):
    from shooting import save, scene, shoot

    light = scene(48, 64, stops=8)
    lines = ["bracket,file,seconds"]
    for name in "abc":
        (tmp_path / "in" / name).mkdir(parents=True)
        times = (1 / 8, 1 / 2, 2.0)
        frames = save([shoot(light, t, i + ord(name)) for i, t in enumerate(times)], tmp_path / "in" / name)
        lines += [f"{name},{name}/{Path(f).name},{t}" for f, t in zip(frames, times, strict=True)]
    table = tmp_path / "in" / "brackets.csv"
    table.write_text("\n".join(lines) + "\n")
    for folder, more in (("one", ()), ("many", ("--cluster", scheduler))):
        at_prompt("merge", table, "-o", tmp_path / folder, "--align", "none", "-q", *more)
    assert files(tmp_path / "one") == files(tmp_path / "many")
    assert sorted(files(tmp_path / "one")) == ["a.exr", "b.exr", "c.exr"]


def test_a_dataset_is_scored_as_by_one_process(scheduler, listed, tmp_path):
    rows = ["ref,dist,mos,scene"] + [f"r.exr,d{i}.exr,{i % 7},s{i % 10}" for i in range(10, 30)]
    listed.with_name("judged.csv").write_text("\n".join(rows) + "\n")
    tables = []
    for name, more in (("one", ()), ("many", ("--cluster", scheduler))):
        scores, tables = tmp_path / f"{name}.scores.csv", [*tables, tmp_path / f"{name}.csv"]
        at_prompt("evaluate", "--dataset", "csv", "--data", listed.with_name("judged.csv"), "-m", METRICS, "--scores",
                  scores, "--draws", 0, "--higher", "-o", tables[-1], *more)  # fmt: skip
    assert tables[0].read_bytes() == tables[1].read_bytes()
    assert (tmp_path / "one.scores.csv").read_bytes() == (tmp_path / "many.scores.csv").read_bytes()


def test_a_teacher_scores_a_set_and_images_are_rendered_as_by_one_process(cluster, listed, tmp_path):
    from hdrq.distillation.image_files import write_images
    from hdrq.distillation.samples import make_set
    from hdrq.distillation.sources import Sources, find_sources
    from hdrq.distillation.teacher_scores import Cache, score_rows, stored_scores
    from hdrq.scoring.binding import metric

    sources = find_sources(listed.parent, lambda path, reads: None, lambda source, reads: None)[0]
    rows = make_set(sources, ("noise", "blur"), 20, side=32)
    known, scorer = {str(s.path): s.sha256 for s in sources}, metric("pu-ssim")
    scores = []
    for name, spread in (("one", None), ("many", cluster)):
        cache = Cache(tmp_path / f"{name}.sqlite")
        told = list(score_rows(rows, scorer, known, cache, Sources(), 6, spread))
        assert (told[-1].done, sum(t.new for t in told)) == (20, 20)
        scores.append(list(stored_scores(rows, scorer, known, cache)))
        assert next(iter(score_rows(rows, scorer, known, cache, Sources(), 6, spread))).done == 20
        cache.close()
    assert scores[0] == scores[1]
    one = list(write_images(rows, tmp_path / "one"))
    many = list(write_images(rows, tmp_path / "many", cluster))
    assert [p.name for p in one] == [p.name for p in many]
    assert files(tmp_path / "one") == files(tmp_path / "many")


def test_frames_of_a_film_are_not_divided(scheduler, listed, tmp_path, capsys):
    at_prompt("tonemap", listed.parent, tmp_path, "--temporal", 3, "--cluster", scheduler, code=2)
    assert "frames in order" in capsys.readouterr().err
    at_prompt("merge", listed.parent / "d0.exr", listed.parent / "d1.exr", "-o", tmp_path / "x.exr", "--cluster",
              scheduler, code=2)  # fmt: skip
    assert "--cluster divides the brackets" in capsys.readouterr().err


def test_maps_have_the_names_of_one_process(scheduler, listed, tmp_path):
    lines = ["ref,dist"]
    for i in range(6):
        (tmp_path / f"take{i}").mkdir()
        (tmp_path / f"take{i}" / "x.exr").write_bytes((listed.parent / f"d{i + 6}.exr").read_bytes())
        lines.append(f"{listed.parent}/r.exr,take{i}/x.exr")
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    for folder, more in (("one", ()), ("many", ("--cluster", scheduler))):
        run("--pairs", tmp_path / "list.csv", "-m", "pu-ssim", "-o", tmp_path / f"{folder}.csv", "--map",
            tmp_path / folder, *more, code=0)  # fmt: skip
    one, many = files(tmp_path / "one"), files(tmp_path / "many")
    assert sorted(one) == sorted(many)
    assert len(one) == 12
    assert all(one[name] == many[name] for name in one if name.endswith(".png"))


def test_the_api_divides_too(cluster, listed, tmp_path):
    pairs = [(listed.parent / "r.exr", listed.parent / f"d{i}.exr") for i in range(8)]
    alone = list(hdrq.score(pairs, ["pu-psnr", "pu-ssim"]))
    skipped = [r for r in alone if not r.dist.endswith("d1.exr")]
    assert list(hdrq.score(pairs, ["pu-psnr", "pu-ssim"], spread=cluster)) == alone
    found = hdrq.score(
        pairs, ["pu-psnr", "pu-ssim"], spread=cluster, skip=lambda p, m: str(p.dist).endswith("d1.exr")
    )
    assert list(found) == skipped
    one, many = tmp_path / "one.csv", tmp_path / "many.csv"
    assert list(hdrq.score(pairs, ["pu-psnr"], resume=one)) == alone[::2]
    for _ in range(2):
        assert list(hdrq.score(pairs, ["pu-psnr"], resume=many, spread=cluster)) == alone[::2]
    assert one.read_bytes() == many.read_bytes()
