"""The benchmark's workers: answers in order from processes, or from threads for a GPU."""

import os
import runpy
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from posebowl import paths
from posebowl.training import solution_modules

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")
pytest.importorskip("onnxruntime", reason="needs the lean group")

network = solution_modules.module("network")
workers = solution_modules.module("workers")

PATIENCE_S = 120
"""How long a process may take to start or to end on a busy machine."""
FOLDER = paths.SOLUTIONS / "benchmark"
IMAGES = paths.DEMO_DATA / "images"
IDS = [path.stem for path in sorted(IMAGES.glob("*.png"))][:9]


@pytest.fixture(scope="module")
def worker():
    net = network.load(FOLDER / "model.onnx", backend="onnxruntime", device="cpu")
    return workers.Worker(IMAGES, replace(net, batch=2))


@pytest.fixture(scope="module")
def expected(worker):
    """What one worker answers, in this process."""
    ids = [*IDS[:3], "missing", *IDS[3:]]
    detect_all = [answer for group in workers.batched(ids, 2) for answer in worker(group)]
    assert [answer.broken for answer in detect_all] == [
        "No such file or directory" if name == "missing" else "" for name in ids
    ]
    assert all(answer.box for answer in detect_all if not answer.broken)
    return ids, detect_all


@pytest.mark.parametrize("count", [1, 2, 3])
def test_processes_answer_as_one_worker_does_and_in_order(worker, expected, count):
    ids, detect_all = expected
    assert list(workers.detect_all(ids, worker, count)) == detect_all


def test_openvino_runs_in_each_process(expected):
    pytest.importorskip("openvino", reason="needs the lean group")
    ids, detect_all = expected
    net = network.load(FOLDER / "model.onnx", backend="openvino", device="cpu")
    for found, answer in zip(
        workers.detect_all(ids, workers.Worker(IMAGES, net), 2), detect_all, strict=True
    ):
        assert found.broken == answer.broken
        if answer.box:
            moved = zip(found.box, answer.box, strict=True)
            assert max(abs(one - other) for one, other in moved) <= 1


def test_threads_that_feed_a_gpu_answer_the_same(worker, expected):
    """With the network on the CPU, since tests have no GPU: what feeds it is the same."""
    ids, detect_all = expected
    fed = replace(worker, net=replace(worker.net, on_gpu=True))
    assert list(workers.detect_all(ids, fed, 2)) == detect_all


def test_without_semaphores_one_thread_answers_the_same(worker, expected, monkeypatch, caplog):
    def refuse(*_args, **_settings):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(workers, "ProcessPoolExecutor", refuse)
    ids, detect_all = expected
    assert list(workers.detect_all(ids, worker, 2)) == detect_all
    assert "one worker only" in caplog.text


def test_no_more_work_is_begun_than_is_asked_for():
    begun = []

    class Pool:
        def submit(self, work, item):
            begun.append(item)
            future = Future()
            future.set_result(work(item))
            return future

    results = workers.prefetch(Pool(), lambda item: 10 * item, range(100), 4)
    assert begun == []
    assert [next(results) for _ in range(3)] == [0, 10, 20]
    assert begun == [0, 1, 2, 3, 4, 5]
    assert list(results) == list(range(30, 1000, 10))


def start(tmp_path, photos):
    """Start the solution on many photos, and wait until its processes are there."""
    names = [f"{name}{copy}" for copy in range(-(-photos // len(IDS))) for name in IDS][:photos]
    (tmp_path / "images").mkdir()
    for name in names:
        (tmp_path / "images" / f"{name}.png").symlink_to(IMAGES / f"{name[:32]}.png")
    rows = "".join(f"{name},0,0,1,1\n" for name in names)
    (tmp_path / "submission_format.csv").write_text("image_id,xmin,ymin,xmax,ymax\n" + rows)
    argv = [sys.executable, FOLDER / "main.py", "--data", tmp_path, "--workers", "2"]
    argv += ["--out", tmp_path / "submission.csv"]
    running = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    for _ in range(20 * PATIENCE_S):
        processes = psutil.Process(running.pid).children()
        if len(processes) == 2 and all(ignores_interrupts(one.pid) for one in processes):
            return running, processes
        time.sleep(0.05)
    running.kill()
    raise AssertionError(running.communicate()[1])


def ignores_interrupts(pid):
    """Read from the kernel whether a process has come so far."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    ignored = next(line.split()[1] for line in status if line.startswith("SigIgn:"))
    return bool(int(ignored, 16) & 1 << (signal.SIGINT - 1))


def test_a_killed_process_ends_no_run(tmp_path):
    running, processes = start(tmp_path, 60)
    processes[0].kill()
    _, log = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 0
    assert "a worker was killed by signal 9 (SIGKILL), probably out of memory; continuing" in log
    assert "fallback" not in log
    rows = (tmp_path / "submission.csv").read_text().splitlines()
    assert len(rows) == 61
    boxes = {}
    for row in rows[1:]:
        name, box = row.split(",", 1)
        assert boxes.setdefault(name[:32], box) == box  # whoever looked at it
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    assert not alive


KILLED = "a worker was killed by signal"


def die_of(number):
    """Die of a signal, even if a library of another test (Ray) handles it in this process."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            f"{KILLED} 9 (SIGKILL), probably out of memory",
        ),
        (lambda: die_of(signal.SIGXCPU), f"{KILLED} 24 (SIGXCPU)"),
        (lambda: die_of(signal.SIGTERM), f"{KILLED} 15 (SIGTERM)"),
        (lambda: os.kill(os.getpid(), 40), f"{KILLED} 40"),
        (lambda: os._exit(3), "a worker ended with exit code 3"),
    ],
)
def test_a_photo_that_ends_whoever_looks_at_it_gets_no_box(monkeypatch, caplog, end, said):
    def die(ids):
        if "bad" in ids:
            end()
        return [workers.Answer((0, 0, 1, 1)) for _ in ids]

    worker = SimpleNamespace(net=SimpleNamespace(on_gpu=False, batch=2))
    monkeypatch.setattr(workers, "set_worker", lambda _: setattr(workers, "own", die))
    ids = ["a", "b", "c", "bad", "e", "bad", "g"]
    found = list(workers.detect_all(ids, worker, 2))
    assert len(found) == len(ids)
    assert [answer.broken for answer in found] == [said * (name == "bad") for name in ids]
    assert caplog.messages == [f"{said}; continuing with one"]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_workers_die_with_their_parent(end, tmp_path):
    running, processes = start(tmp_path, 2000)
    running.send_signal(end)
    running.communicate(timeout=PATIENCE_S)
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    assert not alive


def test_ctrl_c_ends_all_processes(tmp_path):
    running, processes = start(tmp_path, 2000)
    for process in (*processes, running):
        process.send_signal(signal.SIGINT)
    _, log = running.communicate(timeout=PATIENCE_S)
    assert running.returncode != 0
    assert "Traceback" not in log
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    assert not alive


def refused(words, monkeypatch, capsys):
    """Return what main.py prints as it ends, run in this process as a program."""
    monkeypatch.setattr(sys, "argv", ["main.py", *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(FOLDER / "main.py"), run_name="__main__")
    assert ended.value.code
    # Python prints a code that is a text, and exits with 1.
    return ended.value.code, f"{capsys.readouterr().err}{ended.value.code}"


@pytest.mark.parametrize("words", [("--workers", "0"), ("--batch", "-4"), ("--batch", "many")])
def test_a_number_that_makes_no_sense_is_refused(words, monkeypatch, capsys):
    code, said = refused(words, monkeypatch, capsys)
    assert code == 2
    assert f"{words[1]} is not a whole number of 1 or more" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--data", "none"), "ERROR none/submission_format.csv: No such file or directory"),
        (("--data", "."), "has no column image_id"),
        (("--first", "0", "0"), "0 is not a whole number of 1 or more"),
        (("--second", "100", "96"), "100 is not a multiple of 32"),
        (("--enough", "2"), "2 is not a number from 0 to 1"),
        (("--enough", "quite"), "quite is not a number from 0 to 1"),
        (("--out", "."), "--out . is a folder"),
        (("--weights", "."), ". is not a file"),
        (("--weights", "text.onnx"), "text.onnx cannot be loaded"),
        (("--weights", "text.onnx", "--backend", "openvino"), "text.onnx cannot be loaded"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(words, says, tmp_path, monkeypatch, capsys):
    if "openvino" in words:
        pytest.importorskip("openvino", reason="needs the lean group")
    (tmp_path / "text.onnx").write_text("no graph")
    (tmp_path / "submission_format.csv").write_text("id,xmin\n")
    monkeypatch.chdir(tmp_path)
    _, said = refused(words, monkeypatch, capsys)
    assert says in said
