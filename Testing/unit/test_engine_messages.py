"""What goes over the worker's wire, and what is made of it: protocol, arguments, faults."""

from __future__ import annotations

import errno
import json
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from CranialReconstructionLib.engine import arguments, faults
from CranialReconstructionLib.engine.arguments import Arguments, Estimate, MakeImplant, Reconstruct, parse_arguments
from CranialReconstructionLib.engine.faults import Retry
from CranialReconstructionLib.engine.operations import Operations
from CranialReconstructionLib.engine.protocol import (
    LONGEST_LINE,
    Cancel,
    Failure,
    Heartbeat,
    Hello,
    Message,
    Progress,
    ProtocolError,
    Request,
    Result,
    Shutdown,
    decode,
    encode,
)
from CranialReconstructionLib.engine.records import MisfitError, from_json, to_json
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.whole_file import whole_file
from CranialReconstructionLib.reconstruction.predictor import MEMORY_SHARE

ids = st.integers(min_value=-(2**60), max_value=2**60)
texts = st.text(max_size=30)
numbers = st.floats(allow_nan=False, allow_infinity=False)
contents = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | ids | numbers | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)
messages = st.one_of(
    st.builds(Hello, texts, texts, st.none() | texts, texts, ids),
    st.builds(Heartbeat, st.none() | ids),
    st.builds(Request, ids, texts, contents),
    st.builds(Progress, ids, texts, st.none() | numbers),
    st.builds(Result, ids, contents),
    st.builds(Failure, st.none() | ids, texts, texts, texts, texts, texts),
    st.builds(Cancel, ids),
    st.just(Shutdown()),
)


@given(messages)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == message


@given(st.binary(max_size=200) | messages.map(lambda message: encode(message)[:-5]))
def test_rubbish_is_refused_and_nothing_else_happens(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(line)


GOOD = {"protocol": 1, "kind": "progress", "id": 3, "stage": "read", "fraction": None}


@pytest.mark.parametrize(
    ("change", "words", "job"),
    [
        ({"protocol": 2}, "version 2", 3),
        ({"kind": "gossip"}, "'gossip'", 3),
        ({"kind": ["progress"]}, "kind", 3),
        ({"id": "3"}, "'id'", None),
        ({"id": True}, "'id'", None),
        ({"stage": 4}, "'stage'", 3),
        ({"fraction": "half"}, "'fraction'", 3),
        ({"more": 1}, "'more' is unknown", 3),
    ],
)
def test_a_refusal_names_what_is_wrong_and_whose_job_it_is(change: dict[str, Any], words: str, job: int) -> None:
    assert isinstance(decode(json.dumps(GOOD).encode()), Progress)
    with pytest.raises(ProtocolError, match=words) as refused:
        decode(json.dumps({**GOOD, **change}).encode())
    assert refused.value.id == job


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_on_the_wire_are_finite(number: str) -> None:
    with pytest.raises(ProtocolError, match="finite"):
        decode(json.dumps(GOOD).replace("null", number).encode())
    with pytest.raises(ValueError, match="JSON"):
        encode(Progress(1, "read", float(number)))


def test_lines_without_end_or_bottom_are_refused() -> None:
    with pytest.raises(ProtocolError, match="line of more than"):
        decode(b"[" * (LONGEST_LINE + 1))
    with pytest.raises(ProtocolError, match="not JSON"):
        decode(b"[" * 100_000)
    with pytest.raises(ValueError, match="too long"):
        encode(Result(1, {"text": "x" * LONGEST_LINE}))


def test_what_numpy_and_paths_become() -> None:
    content = {"a": np.float32(0.5), "b": np.arange(3), "c": (Path("/x"), float("nan")), 4: np.inf}
    assert to_json(content) == {"a": 0.5, "b": [0, 1, 2], "c": ["/x", None], "4": None}
    encode(Result(1, to_json(content)))


@pytest.mark.parametrize(
    "asked",
    [
        Reconstruct(Path("/a"), Path("/b"), "mirror", memory_share=0.25),
        Estimate((3, 4, 5), device="cpu"),
        MakeImplant(Path("/a"), Path("/b"), Path("/c"), {"gap": 0.3}, Path("/d"), ("stl", "ply"), "RAS"),
    ],
)
def test_arguments_survive_the_wire(asked: Arguments) -> None:
    sent = decode(encode(Request(1, asked.operation, to_json(asked))))
    assert isinstance(sent, Request)
    assert parse_arguments(type(asked), asked.operation, sent.arguments) == asked


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "'skull' is missing"),
        ({"skull": "/a", "folder": "/b", "colour": "red"}, "'colour' is unknown"),
        ({"skull": 3, "folder": "/b"}, "'skull' is 3"),
        ({"skull": "a", "folder": "/b"}, "not absolute"),
        ({"skull": "/a", "folder": "/b", "method": "guess"}, "'guess'"),
        ({"skull": "/a", "folder": "/b", "device": "tpu"}, "'tpu'"),
        ({"skull": "/a", "folder": "/b", "memory_share": 2}, "share of 2"),
    ],
)
def test_arguments_that_cannot_be_are_the_users_to_mend(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse_arguments(Reconstruct, "reconstruct", values)


def test_lists_have_the_length_that_they_must() -> None:
    with pytest.raises(MisfitError, match="list of 3"):
        from_json(Estimate, {"shape": [1, 2]})
    with pytest.raises(UserError, match="no voxels"):
        Estimate((0, 4, 5))


def disk_full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def disk_full_told_to_the_user(path: Path) -> None:
    with whole_file(path):
        disk_full()


@pytest.mark.parametrize(
    ("error", "code", "where"),
    [
        (UserError("it is empty", where="skull.nrrd", remedy="Fill it."), "user", "skull.nrrd"),
        (MemoryError(), "memory", "MemoryError"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."), "memory", "RuntimeError"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "memory", "RuntimeError"),
        (RuntimeError("std::bad_alloc"), "memory", "RuntimeError"),
        (RuntimeError("the sizes differ"), "bug", "RuntimeError"),
        (ModuleNotFoundError("No module named 'monai'", name="monai"), "packages", "monai"),
        (ModuleNotFoundError("gone", name="CranialReconstructionLib.x"), "bug", "CranialReconstructionLib.x"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk", "OSError"),
        (OSError(errno.EACCES, "Permission denied"), "bug", "PermissionError"),
        (ZeroDivisionError("division by zero"), "bug", "ZeroDivisionError"),
    ],
)
def test_an_error_gets_the_code_of_its_cause(error: Exception, code: str, where: str) -> None:
    try:
        raise error
    except type(error) as raised:
        failure = faults.failure_of(raised, 4)
    assert (failure.id, failure.code, failure.where) == (4, code, where)
    assert failure.problem
    assert failure.remedy
    assert ("Traceback" in failure.detail) == (not isinstance(error, UserError))
    encode(failure)


def test_a_full_disk_is_known_behind_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        disk_full_told_to_the_user(tmp_path / "defect.nrrd")
    failure = faults.failure_of(raised.value, 1)
    assert (failure.code, failure.where) == ("disk", str(tmp_path / "defect.nrrd"))


def test_only_second_tries_that_change_something_are_offered() -> None:
    network = {"method": "network", "device": "cuda"}
    assert faults.retries("memory", network) == (Retry.SMALLER, Retry.CPU, Retry.AGAIN)
    assert Retry.CPU not in faults.retries("memory", {**network, "device": "cpu"})
    assert faults.retries("died", {"ct": "/a"}) == (Retry.AGAIN,)
    assert faults.retries("user", network) == ()
    once = faults.changed(network, Retry.SMALLER)
    twice = faults.changed(once, Retry.SMALLER)
    assert 0.0 < twice["memory_share"] < once["memory_share"] < 0.8
    assert once["memory_share"] == MEMORY_SHARE / 2.0
    assert faults.changed(network, Retry.CPU) == {**network, "device": "cpu"}


def test_every_fault_says_what_and_what_next() -> None:
    for fault in faults.FAULTS.values():
        assert fault.cause.endswith(".")
        assert fault.next_step.endswith(".")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-signal.SIGKILL, "SIGKILL .*main memory"),
        (128 + 9, "SIGKILL"),
        (-signal.SIGTERM, "SIGTERM"),
        (0xC0000005, "0xc0000005 .*driver"),
        (3, "exit code 3"),
    ],
)
def test_how_a_process_ended_is_said_in_words(code: int, words: str) -> None:
    assert re.search(words, faults.exit_words(code))


def test_each_operation_has_its_own_name() -> None:
    kinds = [kind for kind in vars(arguments).values() if isinstance(kind, type) and hasattr(kind, "operation")]
    names = [kind.operation for kind in kinds]
    assert sorted(names) == sorted(Operations().table())
