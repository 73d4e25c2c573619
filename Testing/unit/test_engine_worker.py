"""The worker as a real process under its client: order, cancelling, dying, hanging, rubbish, launchers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_workers import FAULTY, LEAVES, PRODUCT, WAITS, alive, engine, gone, until_answered, until_told

from CranialReconstructionLib import __version__
from CranialReconstructionLib.engine.client import Engine, Limits
from CranialReconstructionLib.engine.environment import worker_environment
from CranialReconstructionLib.engine.protocol import (
    LONGEST_LINE,
    Failure,
    Heartbeat,
    Hello,
    Message,
    Progress,
    Request,
    Result,
    Shutdown,
    decode,
    encode,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the faults are injected by signals")

ENVIRONMENT = worker_environment(Path(sys.executable))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of a worker whose operations go wrong."""
    script = tmp_path_factory.mktemp("worker") / "faulty.py"
    script.write_text(FAULTY)
    return [sys.executable, str(script)]


@pytest.fixture(scope="module")
def shared(faulty: list[str]) -> Iterator[Engine]:
    """A client for the tests that leave its worker well."""
    with engine(faulty) as client:
        yield client


def script(folder: Path, code: str) -> list[str]:
    path = folder / "worker.py"
    path.write_text(code)
    return [sys.executable, str(path)]


def process_of(client: Engine) -> int:
    """The worker's number; it is started if it is not there."""
    client.start()
    if client.hello is None:
        until_told(client, Hello)
    assert client.hello is not None
    return client.hello.process


def failure_in(told: list[Message], job: int | None) -> Failure:
    (found,) = [message for message in told if isinstance(message, Failure) and message.id == job]
    return found


def test_the_worker_introduces_itself() -> None:
    with engine(PRODUCT) as client:
        client.start()
        (hello,) = until_told(client, Hello)
        assert isinstance(hello, Hello)
        assert (hello.library, hello.python) == (__version__, sys.version.split()[0])
        assert hello.torch is not None
        assert alive(hello.process)
    assert gone(hello.process)


def test_stages_are_told_in_order_and_jobs_one_after_another(shared: Engine) -> None:
    first = shared.submit("stages", {"count": 4, "seconds": 0.01})
    second = shared.submit("echo", {"text": "ä\n\u2028", "number": 0.1})
    told = [message for message in until_answered(shared, first, second) if not isinstance(message, Hello)]
    assert told == [
        *(Progress(first.id, f"stage {number}", number / 4) for number in range(4)),
        Result(first.id, {"done": True}),
        Result(second.id, {"text": "ä\n\u2028", "number": 0.1}),
    ]
    assert shared.pending == ()


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "problem"),
    [
        ("wrong", {"how": "user"}, "user", "the mask is empty"),
        ("wrong", {"how": "bug"}, "bug", "division by zero"),
        ("wrong", {"how": "cuda"}, "memory", "CUDA out of memory"),
        ("wrong", {"how": "disk"}, "disk", "No space left"),
        ("exhausted", {}, "memory", "MemoryError"),
        ("lacking", {}, "packages", "a_package_that_nobody_has"),
        ("unfit", {}, "bug", "not JSON compliant"),
        ("sing", {}, "user", "'sing'"),
    ],
)
def test_what_goes_wrong_is_told_and_the_worker_lives_on(
    shared: Engine, operation: str, arguments: dict[str, str], code: str, problem: str
) -> None:
    job = shared.submit(operation, arguments)
    failure = failure_in(until_answered(shared, job), job.id)
    process = process_of(shared)
    assert failure.code == code
    assert problem in failure.problem
    assert failure.remedy
    assert ("Traceback" in failure.detail) == (code != "user")
    job = shared.submit("echo", {})
    assert Result(job.id, {}) in until_answered(shared, job)
    assert process_of(shared) == process


def test_what_prints_cannot_disturb_the_wire(shared: Engine) -> None:
    shared.last_lines.clear()
    job = shared.submit("noisy", {})
    assert Result(job.id, {"input": ""}) in until_answered(shared, job)
    deadline = time.monotonic() + 5.0
    while not {"printed", "written", "echoed"} <= set(shared.last_lines) and time.monotonic() < deadline:
        shared.poll()
    assert {"printed", "written", "echoed"} <= set(shared.last_lines)


def test_a_job_is_left_between_two_stages_and_the_worker_stays(shared: Engine) -> None:
    process = process_of(shared)
    for stage in range(3):
        job = shared.submit("stages", {"count": 100, "seconds": 0.05})
        told: list[Message] = []
        while Progress(job.id, f"stage {stage}", stage / 100) not in told:
            told += shared.poll()
        shared.cancel(job)
        since = time.monotonic()
        assert failure_in(until_answered(shared, job), job.id).code == "cancelled"
        assert time.monotonic() - since < 2.0
    assert process_of(shared) == process


def test_a_waiting_job_is_cancelled_at_once_and_does_not_run(shared: Engine) -> None:
    first = shared.submit("stages", {"count": 5, "seconds": 0.05})
    second, third = shared.submit("stages", {"count": 1, "seconds": 0.0}), shared.submit("echo", {})
    shared.cancel(second)
    shared.cancel(second)
    told = until_answered(shared, first, second, third)
    answers = [message for message in told if isinstance(message, Result | Failure)]
    assert [message.id for message in answers] == [second.id, first.id, third.id]
    assert not [message for message in told if isinstance(message, Progress) and message.id == second.id]


def test_what_is_cancelled_too_late_counts_as_cancelled(shared: Engine) -> None:
    job = shared.submit("echo", {})
    time.sleep(0.3)
    shared.cancel(job)
    assert failure_in(until_answered(shared, job), job.id).code == "cancelled"
    shared.cancel(job)
    assert shared.poll() == []


@pytest.mark.parametrize("launcher", [None, WAITS, LEAVES], ids=["none", "waits", "leaves"])
def test_a_job_that_does_not_listen_is_ended_with_its_whole_tree(faulty: list[str], launcher: str | None) -> None:
    command = faulty if launcher is None else [sys.executable, "-c", launcher, *faulty]
    with engine(command) as client:
        process = process_of(client)
        job, waiting = client.submit("with_child", {}), client.submit("echo", {"still": "wanted"})
        (child,) = [int(entry.stage) for entry in until_told(client, Progress) if isinstance(entry, Progress)]
        assert alive(child)
        client.cancel(job)
        since = time.monotonic()
        told = until_answered(client, job)
        assert time.monotonic() - since < 2.0
        assert failure_in(told, job.id).code == "cancelled"
        assert gone(process)
        assert gone(child)
        told += until_answered(client, waiting) if Result(waiting.id, {"still": "wanted"}) not in told else []
        assert Result(waiting.id, {"still": "wanted"}) in told
        again = process_of(client)
        assert again != process
    assert gone(again)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_dies_is_told_of_and_replaced(faulty: list[str], number: signal.Signals) -> None:
    with engine(faulty) as client:
        job, next_job = client.submit("dies", {"signal": int(number)}), client.submit("echo", {})
        told = until_answered(client, job, next_job)
        failure = failure_in(told, job.id)
        assert failure.code == "died"
        assert number.name in failure.problem
        assert "last words" in failure.detail
        assert ("main memory" in failure.problem) == (number is signal.SIGKILL)
        assert Result(next_job.id, {}) in told


def test_a_worker_that_dies_idle_is_replaced_by_the_next_job(faulty: list[str]) -> None:
    with engine(faulty) as client:
        os.kill(process_of(client), signal.SIGKILL)
        failure = failure_in(until_told(client, Failure), None)
        assert failure.code == "died"
        job = client.submit("echo", {})
        assert Result(job.id, {}) in until_answered(client, job)


def test_a_worker_without_a_sign_of_life_is_ended(faulty: list[str]) -> None:
    with engine(faulty, Limits(silence=2.0)) as client:
        job = client.submit("frozen", {})
        until_told(client, Progress)
        process, since = process_of(client), time.monotonic()
        failure = failure_in(until_answered(client, job), job.id)
        assert failure.code == "hung"
        assert 1.0 < time.monotonic() - since < 8.0
        assert gone(process)


def test_a_long_job_that_says_nothing_is_not_taken_for_hung(faulty: list[str]) -> None:
    with engine(faulty, Limits(silence=2.0)) as client:
        job = client.submit("stages", {"count": 1, "seconds": 3.0})
        assert Result(job.id, {"done": True}) in until_answered(client, job)


def test_a_client_that_does_not_ask_for_long_does_not_blame_the_worker(faulty: list[str]) -> None:
    with engine(faulty, Limits(silence=1.9)) as client:
        process = process_of(client)
        os.kill(process, signal.SIGSTOP)
        time.sleep(2.5)
        assert client.poll() == []
        os.kill(process, signal.SIGCONT)
        job = client.submit("echo", {})
        assert Result(job.id, {}) in until_answered(client, job)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import sys; sys.exit(7)", "exit code 7"),
        ("print('Traceback'); raise ValueError('no such thing')", "exit code 1"),
        ("import time; time.sleep(60)", "no sign of life"),
    ],
)
def test_what_is_no_worker_is_told_for_every_job(tmp_path: Path, code: str, problem: str) -> None:
    with engine(script(tmp_path, code), Limits(start=1.5)) as client:
        jobs = client.submit("echo", {}), client.submit("echo", {})
        told = until_answered(client, *jobs)
        for job in jobs:
            assert failure_in(told, job.id).code == "start"
            assert problem in failure_in(told, job.id).problem
        assert not client.running
        assert ("no such thing" in failure_in(told, jobs[0].id).detail) == ("ValueError" in code)


def test_a_program_that_is_not_there_is_told_like_all_else(tmp_path: Path) -> None:
    with engine([str(tmp_path / "python")]) as client:
        job = client.submit("echo", {})
        assert failure_in(until_answered(client, job), job.id).code == "start"
        client.start()
        assert failure_in(client.poll(), None).code == "start"


@pytest.mark.parametrize(
    "rubbish",
    [
        b"hello?\n",
        b'{"protocol": 99, "kind": "heartbeat", "id": null}\n',
        encode(Request(1, "echo", {})),
        b"[" * (LONGEST_LINE + 1),
    ],
    ids=["text", "version", "direction", "endless"],
)
def test_a_worker_that_cannot_be_understood_is_ended(tmp_path: Path, rubbish: bytes) -> None:
    hello = encode(Hello("1", "3", None, "python", 1))
    (tmp_path / "said").write_bytes(hello + rubbish)
    code = (
        "import shutil, sys, time\n"
        "sys.stdin.readline()\n"
        f"shutil.copyfileobj(open({str(tmp_path / 'said')!r}, 'rb'), sys.stdout.buffer)\n"
        "sys.stdout.flush()\n"
        "time.sleep(60)\n"
    )
    with engine(script(tmp_path, code)) as client:
        job = client.submit("echo", {})
        failure = failure_in(until_answered(client, job), job.id)
        assert failure.code == "protocol"
        assert not client.running


def started(command: list[str]) -> subprocess.Popen[bytes]:
    """A worker without our client."""
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT
    )


def test_rubbish_from_a_client_is_answered_and_survived(faulty: list[str]) -> None:
    worker = started(faulty)
    said, _ = worker.communicate(
        b"rubbish\n"
        + b'{"protocol": 1, "kind": "request", "id": 5, "operation": 3, "arguments": {}}\n'
        + encode(Heartbeat(None))
        + b"\xff\xfe\n\n"
        + encode(Request(6, "echo", {"a": 1}))
        + encode(Request(6, "stages", {"count": 1, "seconds": 0.3})),
        timeout=30,
    )
    heard = [decode(line) for line in said.splitlines()]
    assert isinstance(heard[0], Hello)
    refused = [message.id for message in heard if isinstance(message, Failure) and message.code == "protocol"]
    assert refused == [None, 5, None, None, None]
    assert worker.returncode in (0, 1)


@pytest.mark.parametrize("operation", [None, "stages", "deaf"])
@pytest.mark.parametrize("how", ["closed", "shutdown", "terminated"])
def test_a_worker_whose_client_is_gone_ends(faulty: list[str], operation: str | None, how: str) -> None:
    worker = started(faulty)
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert isinstance(decode(worker.stdout.readline()), Hello)
    if operation is not None:
        worker.stdin.write(encode(Request(1, operation, {"count": 1000, "seconds": 0.05})))
        worker.stdin.flush()
        while not isinstance(decode(worker.stdout.readline()), Progress):
            pass
    if how == "closed":
        worker.stdin.close()
    elif how == "shutdown":
        worker.stdin.write(encode(Shutdown()))
        worker.stdin.flush()
    else:
        worker.terminate()
    code = worker.wait(timeout=3.0)
    worker.stdin.close()
    worker.stdout.close()
    assert code == (143 if how == "terminated" else 1 if operation == "deaf" else 0)


def test_the_client_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import json, sys\n"
        "from CranialReconstructionLib.engine import arguments, client, environment, faults, protocol\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=ENVIRONMENT)
    loaded = set(json.loads(done.stdout)) - set(sys.stdlib_module_names)
    # What the environment's own start brings in has no say in it.
    bare = subprocess.run(
        [sys.executable, "-c", "import json, sys; print(json.dumps(list(sys.modules)))"],
        capture_output=True,
        check=True,
        env=ENVIRONMENT,
    )
    assert loaded - {name.partition(".")[0] for name in json.loads(bare.stdout)} == {"CranialReconstructionLib"}
