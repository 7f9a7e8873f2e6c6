"""Signals that ask a command to end: what it began is cleared up, and the exit code is 128 and the signal's number."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
import torch

import hdrq
from hdrq.cli import main
from hdrq.cli._signals import ended_by_signals
from hdrq.distillation.api import Note, Scored
from hdrq.records import Image
from hdrq.training.api import Checked, Part

pytestmark = pytest.mark.skipif(os.name != "posix", reason="these signals are those of POSIX")
SIGNALS = [getattr(signal, name, signal.SIGTERM) for name in ("SIGTERM", "SIGHUP")]


@pytest.fixture(autouse=True)
def unhandled():
    """The signals as a shell leaves them, also where the tests run under nohup, which ignores SIGHUP."""
    before = [signal.signal(number, signal.SIG_DFL) for number in SIGNALS]
    yield
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


def send(number: int) -> None:
    """A signal to this process, unless it would end the tests."""
    assert signal.getsignal(number) is not signal.SIG_DFL
    signal.raise_signal(number)


def light(path: Path) -> Path:
    hdrq.write(path, Image(5 + 90 * torch.rand(1, 3, 16, 16)), depth="float")
    return path


def at_prompt(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    assert all(signal.getsignal(number) is signal.SIG_DFL for number in SIGNALS)
    return left.value.code


@pytest.mark.parametrize("number", SIGNALS)
def test_a_file_that_is_being_written_leaves_nothing(tmp_path, monkeypatch, capsys, number):
    source = light(tmp_path / "a.exr")
    seen: list[str] = []

    def stopped(part, target):
        seen.extend(p.name for p in tmp_path.iterdir())
        send(number)

    monkeypatch.setattr(os, "replace", stopped)
    assert at_prompt("encode", source, tmp_path / "b.png", "--to", "pq") == 128 + number
    assert any(name.startswith(".hdrq-") for name in seen)
    assert [p.name for p in tmp_path.iterdir()] == ["a.exr"]
    assert capsys.readouterr().err.split() == ["hdrq:", "interrupted"]


def test_rows_that_were_scored_are_kept_and_the_way_on_is_said(tmp_path, monkeypatch, capsys):
    pair = light(tmp_path / "a.exr"), light(tmp_path / "b.exr")
    monkeypatch.setattr("hdrq.scoring.scorer.Scorer.read", lambda *a, **k: send(signal.SIGTERM))
    assert at_prompt("score", *pair, "-m", "pu-psnr", "-o", tmp_path / "s.csv") == 128 + signal.SIGTERM
    assert "add --resume to go on" in capsys.readouterr().err


def test_a_terminal_that_is_gone_hides_no_exit_code(tmp_path, monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(errno.EIO, "Input/output error")

    source = light(tmp_path / "a.exr")
    monkeypatch.setattr(os, "replace", lambda part, target: send(SIGNALS[1]))
    monkeypatch.setattr(sys, "stderr", Gone())
    assert at_prompt("encode", source, tmp_path / "b.png", "--to", "pq") == 128 + SIGNALS[1]


def test_a_signal_that_comes_twice_at_once_is_one(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("hdrq.cli._signals.time.monotonic", lambda: now[0])
    with ended_by_signals() as received:
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)
        send(signal.SIGTERM)
        now[0] += 2
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)
    assert received == [signal.SIGTERM] * 2


def test_signals_that_the_caller_has_set_stay_as_they_are(monkeypatch):
    before = signal.signal(SIGNALS[1], signal.SIG_IGN)
    try:
        with ended_by_signals() as received:
            signal.raise_signal(SIGNALS[1])
        assert received == []
        assert signal.getsignal(SIGNALS[1]) is signal.SIG_IGN
    finally:
        signal.signal(SIGNALS[1], before)
    set_in_thread: list[object] = []

    def elsewhere():
        with ended_by_signals():
            set_in_thread.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert set_in_thread == [signal.SIG_DFL]


TRAINING = ["train", "--recipe", "pieapp-srgb"]
DISTILLING = ["distill", "-t", "pu-psnr", "--images", "x"]
GOES_ON = "hdrq: interrupted; add --resume to go on"


@pytest.mark.parametrize(
    ("words", "record", "says"),
    [
        (TRAINING, Part("a"), GOES_ON),
        (DISTILLING, Scored("pu21:psnr", 1, 2, 1, 0.1), GOES_ON),
        (TRAINING, Checked(1, 2), "hdrq: interrupted"),
        (DISTILLING, Note("x"), "hdrq: interrupted"),
    ],
)
def test_an_interrupted_training_says_how_to_go_on_once_it_has_begun(
    monkeypatch, capsys, words, record, says
):
    def interrupted(*arguments, **keywords):
        yield record
        raise KeyboardInterrupt

    monkeypatch.setattr(hdrq, words[0], interrupted)
    assert at_prompt(*words) == 130
    assert capsys.readouterr().err.splitlines()[-1] == says
