"""The model packages that can be used, as a panel lists them, and a new one from disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from CranialReconstructionLib.engine.arguments import InstallModel
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.catalogue import available_packages
from CranialReconstructionLib.reconstruction.manifest import ModelManifest, read_manifest
from CranialReconstructionLib.workflow.tasks import Task, Tasks


@dataclass(frozen=True)
class Model:
    """One package.

    Attributes:
        name: that it is asked for by.
        manifest: what it says of itself; None where that cannot be read.
        problem: why it cannot be used; empty where it can.
    """

    name: str
    manifest: ModelManifest | None
    problem: str = ""

    def describe(self) -> str:
        """A few lines for a person: version, licence, what it is, its training data, and what it measured."""
        if self.manifest is None:
            return self.problem
        entries = self.manifest
        trained = ", ".join(f"{data.name}, {data.licence}" for data in entries.training.data)
        measured = ", ".join(f"{figure.metric} {figure.value:g} ({figure.cases})" for figure in entries.figures[:3])
        lines = [f"{entries.name} {entries.version}, {entries.licence}", entries.description]
        return "\n".join(
            [*lines, *([f"Trained on: {trained}"] if trained else []), *([f"Measured: {measured}"] if measured else [])]
        )


def list_models() -> tuple[Model, ...]:
    """Every package that can be asked for by name, the shipped one first; only manifests are read."""
    found = []
    for name, folder in available_packages().items():
        try:
            found.append(Model(name, read_manifest(folder)))
        except UserError as error:
            found.append(Model(name, None, error.problem))
    return tuple(found)


def install_model(tasks: Tasks, source: Path, replace: bool = False) -> Task[str]:
    """Copy a package from a folder or an archive into the user's own, after verification; its name."""
    arguments = InstallModel(source, replace)
    return tasks.begin(f"Add the model {source.name}", arguments, lambda result: str(result["name"]))
