"""Generated cases: K23's post-processing, quality, and sets that survive a kill."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from fake_generator import SIDE, FakeGenerator, FakeSource

from CranialAugmentationTrainerLib.datasets.case_grid import read_labels
from CranialAugmentationTrainerLib.datasets.synthetic_set import SyntheticSet
from CranialAugmentationTrainerLib.sampling.settings import SamplingSettings
from CranialAugmentationTrainerLib.synthesis import writing
from CranialAugmentationTrainerLib.synthesis.making import CaseMaker, MakingSettings
from CranialAugmentationTrainerLib.synthesis.post_processing import (
    PostProcessing,
    post_process,
    without_small_components,
)
from CranialAugmentationTrainerLib.synthesis.quality import (
    NO_DEFECT,
    NO_SKULL,
    OFF_THE_BONE,
    SEVERAL_SKULLS,
    TOO_MUCH_BONE,
    QualityLimits,
    reason_to_reject,
)
from CranialAugmentationTrainerLib.synthesis.set_progress import SetProgress
from CranialAugmentationTrainerLib.synthesis.writing import SetWriter, make_again, remake, write_set
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import read_volume

SETTINGS = MakingSettings(SamplingSettings("sd", seed=3), PostProcessing(smallest=4), batch=4)


def written(folder: Path, count: int, workers: int = 1, source: FakeSource | None = None) -> SetProgress:
    return write_set(SetWriter(source or FakeSource(), SETTINGS, folder), count, workers)


def content(folder: Path) -> tuple[list[dict[str, object]], dict[str, bytes]]:
    """The index, and what is in each volume."""
    lines = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    return lines, {path.name: read_volume(path).voxels.tobytes() for path in (folder / "cases").iterdir()}


def box(shape: tuple[int, int, int], *edges: slice) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[edges] = True
    return mask


def test_post_processing_in_the_papers_order() -> None:
    case = np.zeros((2, 12, 12, 12), dtype=np.float32)
    case[0, 1:6, 1:6, 1:6] = 0.9
    # Exactly one half is not above it.
    case[0, 0] = 0.5
    # Six voxels of defect stand out of the skull and stay after the 14 inside have been taken off; a
    # defect that was cleaned before it was separated would have kept them as a component of 20.
    case[1, 3, 3, 2:] = 0.8
    case[1, 4, 3, 2:] = 0.8
    labels = post_process(case, PostProcessing(smallest=13))
    assert np.count_nonzero(labels == 1) == 125
    assert np.count_nonzero(labels == 2) == 0
    labels = post_process(case, PostProcessing(smallest=12))
    assert np.count_nonzero(labels == 2) == 12
    assert (labels[case[0] > 0.5] == 1).all()


def test_components_are_counted_by_faces() -> None:
    two = box((6, 6, 6), slice(0, 2), slice(0, 2), slice(0, 2)) | box((6, 6, 6), slice(2, 4), slice(2, 4), slice(2, 4))
    assert not without_small_components(two, 9).any()
    assert np.array_equal(without_small_components(two, 8), two)
    assert not without_small_components(np.zeros((3, 3, 3), dtype=bool), 0).any()


def test_the_smallest_component_keeps_its_volume_on_another_grid() -> None:
    assert PostProcessing.for_side(128) == PostProcessing()
    assert PostProcessing.for_side(256).smallest == 800
    assert PostProcessing.for_side(64).smallest == 12


def test_each_reason_to_reject() -> None:
    limits = QualityLimits()
    labels = np.zeros((20, 20, 20), dtype=np.uint8)
    assert reason_to_reject(labels, limits) == NO_SKULL
    labels[2:10, 2:10, 2:10] = 1
    assert reason_to_reject(labels, limits) == NO_DEFECT
    labels[10:12, 2:10, 2:10] = 2
    assert reason_to_reject(labels, limits) == ""
    several = labels.copy()
    several[14:18, 14:18, 14:18] = 1
    assert reason_to_reject(several, limits) == SEVERAL_SKULLS
    assert reason_to_reject(several, QualityLimits(main_skull=0.85)) == ""
    assert reason_to_reject(np.maximum(labels, 1), limits) == TOO_MUCH_BONE
    off = np.where(labels == 2, 0, labels)
    off[15:17, 2:10, 2:10] = 2
    assert reason_to_reject(off, limits) == OFF_THE_BONE


def test_what_is_no_case_is_refused() -> None:
    with pytest.raises(UserError, match="threshold"):
        PostProcessing(threshold=1.0)
    with pytest.raises(UserError, match="share"):
        QualityLimits(main_skull=2.0)
    with pytest.raises(UserError, match="batch"):
        MakingSettings(batch=0)
    with pytest.raises(UserError, match=r"\.nrrd"):
        SetWriter(FakeSource(), SETTINGS, Path("x"), ".stl")


def test_a_set_holds_what_the_index_says(tmp_path: Path) -> None:
    progress = written(tmp_path, 20)
    lines, volumes = content(tmp_path)
    assert [line["number"] for line in lines] == list(range(len(lines)))
    accepted = [line for line in lines if not line["rejected"]]
    assert len(accepted) == len(volumes) == progress.accepted == 20
    assert progress.rejected == {NO_DEFECT: len(lines) - 20}
    assert progress.rejected.total() > 0
    skull, defect = read_labels(tmp_path / str(accepted[7]["file"]))
    assert skull.voxels.sum() * 16.0**3 / 1000.0 == pytest.approx(accepted[7]["skull_ml"])
    assert defect.voxels.sum() * 16.0**3 / 1000.0 == pytest.approx(accepted[7]["defect_ml"])
    # The middle of the box is the origin.
    np.testing.assert_allclose(skull.grid.ras_of([[(SIDE - 1) / 2] * 3]), 0.0, atol=1e-6)


def test_a_set_that_grows_is_the_set_made_at_once(tmp_path: Path) -> None:
    written(tmp_path / "once", 12)
    written(tmp_path / "grown", 5)
    progress = written(tmp_path / "grown", 12)
    assert progress.accepted == 12
    assert progress.made < progress.tried
    assert content(tmp_path / "once") == content(tmp_path / "grown")


def test_any_case_can_be_made_again_alone(tmp_path: Path) -> None:
    written(tmp_path, 10)
    records = SyntheticSet(tmp_path).records()
    for number, record in records.items():
        again = make_again(tmp_path, number, FakeSource())
        assert again.record.rejected == record.rejected
        if record.file:
            assert np.array_equal(again.labels, read_volume(tmp_path / record.file).voxels)
    before = content(tmp_path)
    lost = next(record for record in records.values() if record.file)
    (tmp_path / lost.file).unlink()
    assert remake(tmp_path, lost.number, FakeSource()) == lost
    assert content(tmp_path) == before
    with pytest.raises(UserError, match="no case 999"):
        remake(tmp_path, 999, FakeSource())
    with pytest.raises(UserError, match="not the one that made"):
        make_again(tmp_path, 0, FakeSource("other"))


def test_a_generator_that_is_being_trained_makes_no_set(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Trained(FakeSource):
        def load(self) -> FakeGenerator:
            (tmp_path / "state").write_text("of the next epoch")
            return super().load()

        def recipe(self) -> dict[str, object]:
            return {"state": (tmp_path / "state").read_text()}

    (tmp_path / "state").write_text("of the first epoch")
    with pytest.raises(UserError, match="has changed since the set was begun"):
        written(tmp_path / "set", 3, source=Trained())


def test_a_workers_error_reaches_the_user_whole() -> None:
    error = UserError("the disk is full", where="a.nrrd", remedy="Free some space.")
    found = pickle.loads(pickle.dumps(error))
    assert isinstance(found, UserError)
    assert (str(found), found.problem, found.where, found.remedy) == (
        str(error),
        error.problem,
        error.where,
        error.remedy,
    )


def test_what_a_kill_tears_is_put_right(tmp_path: Path) -> None:
    written(tmp_path / "whole", 12)
    written(tmp_path / "torn", 12)
    made = SyntheticSet(tmp_path / "torn")
    whole = made.index.read_text().splitlines(keepends=True)
    accepted = [record for record in made.records().values() if record.file]
    # A torn line, a doubled one, a volume without its line, a line without its volume.
    made.index.write_text("".join([*whole[:6], whole[2], whole[6][:25]]))
    (tmp_path / "torn" / accepted[1].file).unlink()
    written(tmp_path / "torn", 12)
    assert content(tmp_path / "torn") == content(tmp_path / "whole")


def test_another_recipe_is_not_mixed_in(tmp_path: Path) -> None:
    written(tmp_path, 2)
    with pytest.raises(UserError, match="generator differ"):
        written(tmp_path, 4, source=FakeSource("other"))
    other = MakingSettings(SamplingSettings("sd", seed=4), PostProcessing(smallest=4), batch=4)
    with pytest.raises(UserError, match="making differ"):
        write_set(SetWriter(FakeSource(), other, tmp_path), 4)


def test_a_generator_of_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "HOPELESS", 32)
    none = MakingSettings(SamplingSettings(seed=3), PostProcessing(smallest=4), QualityLimits(most_skull=0.01), 16)
    with pytest.raises(UserError, match=f"0 of 32 generated cases are good .{TOO_MUCH_BONE}: 32"):
        write_set(SetWriter(FakeSource(), none, tmp_path), 100)


def test_values_that_are_no_numbers_are_not_written() -> None:
    class Diverged(FakeGenerator):
        def decode(self, latent):  # type: ignore[no-untyped-def]
            return super().decode(latent) * float("nan")

    with pytest.raises(UserError, match="not numbers for case 5"):
        CaseMaker(Diverged(), MakingSettings()).make(5)


def test_progress_tells_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = SetProgress(100)
    progress.count("", made=False)
    assert progress.seconds_left is None
    for reason in ("", "", "", NO_DEFECT):
        progress.count(reason)
    now[0] = 102.0
    assert progress.rate == pytest.approx(2.0)
    # 96 wanted, 4 of 5 pass, 2 a second.
    assert progress.seconds_left == pytest.approx(60.0)
    assert progress.line == "4 of 100 cases, 1 rejected, 2.00 cases/s, 0:01:00 left"


KILLED = """
from pathlib import Path
from fake_generator import FakeSource
from test_synthesis import SETTINGS
from CranialAugmentationTrainerLib.synthesis.writing import SetWriter, write_set

if __name__ == "__main__":
    write_set(SetWriter(FakeSource(slow=0.05), SETTINGS, Path({folder!r})), 400, 2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_run_goes_on_and_leaves_no_worker(tmp_path: Path) -> None:
    folder, script = tmp_path / "set", tmp_path / "killed.py"
    script.write_text(KILLED.format(folder=str(folder)))
    paths = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
    child = subprocess.Popen(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": paths}, start_new_session=True
    )
    index = folder / "index.jsonl"
    limit = time.monotonic() + 100.0
    while not index.exists() or index.read_bytes().count(b"\n") < 8:
        assert time.monotonic() < limit
        assert child.poll() is None
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    killed_at = index.read_bytes().count(b"\n")
    limit = time.monotonic() + 20.0
    # The workers were of the child's session, and end when it does.
    while _alive(child.pid):
        assert time.monotonic() < limit
        time.sleep(0.05)
    progress = written(folder, 40)
    assert progress.made <= progress.tried - killed_at
    written(tmp_path / "whole", 40)
    lines, volumes = content(folder)
    whole_lines, whole_volumes = content(tmp_path / "whole")
    assert lines[: len(whole_lines)] == whole_lines
    # The killed run was to make more, so there may be cases after those.
    assert len(volumes) == sum(not line["rejected"] for line in lines)
    assert {name: volumes[name] for name in whole_volumes} == whole_volumes


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
