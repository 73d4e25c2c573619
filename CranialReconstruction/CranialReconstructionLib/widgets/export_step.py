"""Step 6: files for the printer, the report, and DICOM."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import qt
from slicer.i18n import tr as _

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.widgets.choices import chosen_design, ground_of
from CranialReconstructionLib.widgets.dicom_database import add_to_database, series_in_database
from CranialReconstructionLib.widgets.implant_step import ImplantStep
from CranialReconstructionLib.widgets.parameters import CaseParameters
from CranialReconstructionLib.widgets.session import Session
from CranialReconstructionLib.widgets.step import Step
from CranialReconstructionLib.workflow.implanting import Delivery, MadeImplant, make

# The box of each format -> what the worker calls it.
FORMATS = {
    "stl": "stl",
    "ply": "ply",
    "obj": "obj",
    "three_mf": "3mf",
    "gltf": "glb",
    "dicom_stl": "dicom-stl",
    "dicom_seg": "dicom-seg",
}


class ExportStep(Step):
    """Formats, frame, folder, report."""

    PAGE = "Export"
    WIDGETS: ClassVar = {
        "folder": "ctkPathLineEdit",
        "sourceSeries": "ctkPathLineEdit",
        "patientBox": "QCheckBox",
        "databaseBox": "QCheckBox",
        "exportButton": "QPushButton",
        "openFolderButton": "QPushButton",
        "exportText": "QLabel",
    }

    def __init__(self, session: Session, implants: ImplantStep) -> None:
        super().__init__(session)
        self._implants = implants
        self.ui.exportButton.connect("clicked()", lambda: self.do(self._export))
        self.ui.openFolderButton.connect("clicked()", self._open_folder)

    def refresh(self) -> None:
        """What the case allows."""
        parameters = self.session.parameters
        if parameters is None:
            return
        export = parameters.export
        dicom = export.dicom_stl or export.dicom_seg
        self.ui.sourceSeries.enabled = dicom or export.patient
        self.ui.databaseBox.enabled = dicom
        self.ui.exportButton.enabled = parameters.defect.segmentation is not None and not self.session.busy
        self.ui.openFolderButton.enabled = _is_given(export.folder) and export.folder.is_dir()

    def choose_folder(self) -> None:
        """Let the user choose another folder, after one that was no good."""
        self.ui.folder.browse()

    def _export(self) -> None:
        parameters = self.session.parameters
        if parameters is None:
            return
        delivery = delivery_of(parameters, self._source(parameters))
        ground, design, case = ground_of(parameters), chosen_design(parameters), self.session.case
        self.run(lambda: make(self.session.tasks, self.session.files, case, ground, design, delivery), self._exported)

    def _source(self, parameters: CaseParameters) -> Path | None:
        """The series that DICOM files join: the one given, or the one that the CT came from."""
        given = parameters.export.source_series
        if _is_given(given):
            return given.absolute()
        if parameters.volume is None:
            return None
        return series_in_database(parameters.volume, self.session.tasks.new_folder() / "series")

    def _exported(self, made: MadeImplant) -> None:
        self._implants.take(made)
        parameters = self.session.parameters_of(made.checks)
        if parameters is None:
            return
        if not made.written:
            self.ui.exportText.text = ""
            raise UserError(
                _("nothing was written: a check failed ({names})").format(names=", ".join(made.failed)),
                where=parameters.design.name,
                remedy=_("Change the design in step 5, or tick that it is written all the same."),
            )
        parameters.design.number = made.number
        pages = "".join(f'<br/><a href="{page.as_uri()}">{page.name}</a>' for page in made.pages)
        count = len(made.files)
        self.ui.exportText.text = _("{count} files were written.").format(count=count) + pages
        if parameters.export.to_database:
            add_to_database([path for path in made.files if path.suffix == ".dcm"])

    def _open_folder(self) -> None:
        parameters = self.session.parameters
        if parameters is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(parameters.export.folder)))


def delivery_of(parameters: CaseParameters, source: Path | None) -> Delivery:
    """What is to be written, from the panel's choices, and the folder of the source series if there is one.

    Raises:
        UserError: no format, no folder, or no source series where DICOM needs one.
    """
    export = parameters.export
    formats = tuple(name for box, name in FORMATS.items() if getattr(export, box))
    if not formats:
        raise UserError("no format is chosen", where="step 6", remedy="Tick one.")
    if not _is_given(export.folder):
        raise UserError("no folder is chosen", where="step 6", remedy="Choose where the files go.")
    needs_source = export.dicom_stl or export.dicom_seg or export.patient
    if needs_source and source is None:
        raise UserError(
            "the source series is not known",
            where="step 6",
            remedy="Load the CT from Slicer's DICOM database, or choose the folder of its DICOM files.",
        )
    return Delivery(
        folder=export.folder.absolute(),
        formats=formats,
        frame=export.frame.value,
        force=export.force,
        report=export.report,
        source=source if needs_source else None,
        patient=export.patient,
    )


def _is_given(path: Path) -> bool:
    # An empty text is kept as the folder that the application works in.
    return str(path) not in ("", ".")
