"""A generator's latent space: a picture of it whose points are skulls, and ways from one case to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import qt
import slicer
from slicer.i18n import tr as _

from CranialAugmentationTrainerLib.scene.latent_case import show_case
from CranialAugmentationTrainerLib.scene.latent_plot import (
    PLOT,
    LatentPoint,
    place_of,
    point_of,
    points_of,
    restore_points,
    show_embedding,
)
from CranialAugmentationTrainerLib.scene.training_views import LAYOUT, show_chart
from CranialAugmentationTrainerLib.widgets.front_view import FrontView
from CranialAugmentationTrainerLib.widgets.latent_part import LatentPart
from CranialAugmentationTrainerLib.widgets.plot_clicks import PlotClicks
from CranialAugmentationTrainerLib.widgets.plot_fit import PlotFit
from CranialAugmentationTrainerLib.widgets.trainer_session import TrainerSession
from CranialAugmentationTrainerLib.widgets.way_part import WayPart
from CranialAugmentationTrainerLib.workflow.chosen_generator import ChosenGenerator, chosen_generator
from CranialAugmentationTrainerLib.workflow.data_cases import DataCases
from CranialAugmentationTrainerLib.workflow.latent_orders import (
    EmbeddingOrder,
    Kind,
    Source,
    end_at,
    read_sources,
    write_sources,
)
from CranialReconstructionLib.errors import UserError


class LatentPage(LatentPart):
    """The generator, the picture of its latent space, and the ways through it."""

    PAGE = "LatentSpace"
    WIDGETS: ClassVar = {
        "pageButton": "ctkCollapsibleButton",
        "generatorPath": "ctkPathLineEdit",
        "selectedButton": "QPushButton",
        "generatorText": "QLabel",
        "sourceTable": "QTreeWidget",
        "addRealButton": "QPushButton",
        "addSyntheticButton": "QPushButton",
        "addOwnButton": "QPushButton",
        "removeSourceButton": "QPushButton",
        "drawButton": "QPushButton",
        "openPlotButton": "QPushButton",
        "plotSelector": "qMRMLNodeComboBox",
        "sourceSelector": "QComboBox",
        "caseSelector": "QComboBox",
        "toFirstButton": "QPushButton",
        "toLastButton": "QPushButton",
        "ways": "QWidget",
    }

    def __init__(self, session: TrainerSession) -> None:
        super().__init__(session, FrontView())
        self._cases = DataCases()
        self._clicks, self._plot = PlotClicks(self._click), PlotFit()
        self._points: dict[str, tuple[LatentPoint, ...]] = {}
        self.way = WayPart(session, self.view)
        self.ui.ways.layout().addWidget(self.way.page)
        self.ui.sourceTable.setHeaderLabels([_("Kind"), _("Folder")])
        self.ui.generatorPath.connect("currentPathChanged(QString)", lambda path: self._show_generator())
        self.ui.selectedButton.connect("clicked()", self._take_selected)
        self.ui.addRealButton.connect("clicked()", lambda: self._add("real"))
        self.ui.addSyntheticButton.connect("clicked()", lambda: self._add("synthetic"))
        self.ui.addOwnButton.connect("clicked()", self._add_own)
        self.ui.removeSourceButton.connect("clicked()", self._remove_source)
        self.ui.drawButton.connect("clicked()", self._draw)
        self.ui.openPlotButton.connect("clicked()", self._open)
        self.ui.plotSelector.addAttribute("vtkMRMLPlotChartNode", PLOT)
        self.ui.plotSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._show_plot)
        self.ui.sourceSelector.connect("activated(int)", lambda number: self._list_cases())
        self.ui.caseSelector.connect("activated(int)", lambda number: self._choose())
        self.ui.toFirstButton.connect("clicked()", lambda: self._take_end("first"))
        self.ui.toLastButton.connect("clicked()", lambda: self._take_end("last"))

    def bind(self, parameters: Any) -> None:
        """Show the choices of this scene."""
        super().bind(parameters)
        self.way.bind(parameters)
        self.view.forget()
        if parameters is None:
            self._clicks.stop()
            return
        self._list_sources()
        self._list_points(parameters.latent.plot)

    def tick(self) -> None:
        """Listen to plot views that have come."""
        self._clicks.listen()

    def restore(self) -> None:
        """Give a loaded picture its points back."""
        restore_points(self.session.node)
        self._list_points(self.latent.plot)

    def refresh(self) -> None:
        """Enable what can be done now."""
        if self.session.parameters is None:
            return
        self._show_generator()
        self.ui.removeSourceButton.enabled = self.ui.sourceTable.topLevelItemCount > 0
        self.ui.toFirstButton.enabled = self.ui.toLastButton.enabled = self.point is not None
        self.way.refresh()

    @property
    def point(self) -> LatentPoint | None:
        """The case that is chosen; None without a picture."""
        points = self._points.get(self.ui.sourceSelector.currentText, ())
        number = self.ui.caseSelector.currentIndex
        return points[number] if 0 <= number < len(points) else None

    def chosen(self) -> ChosenGenerator:
        """The generator.

        Raises:
            UserError: as of ``chosen_generator``.
        """
        return chosen_generator(self.latent.generator)

    def show_point(self, point: LatentPoint) -> None:
        """Show the skull of a case, and mark its point in the plot."""
        surfaces = None if point.folder is None else self._cases.surfaces(point.folder, point.name)
        if surfaces is None:
            raise UserError("it is not known where the case lies", where=point.name, remedy="Draw the picture again.")
        self.way.stop()
        models = show_case(self.session.node, surfaces, point.name)
        place = place_of(self.latent.plot, point)
        if place is not None:
            self._clicks.mark(*place)
        self.ui.sourceSelector.currentText = point.source
        self._list_cases(point.name)
        self.view.look(models.values())
        self.refresh()

    def _show_generator(self) -> None:
        if self.session.parameters is None:
            return
        try:
            chosen = self.chosen()
        except UserError as error:
            self.ui.generatorText.text = f"{error.problem}. {error.remedy}"
            self.ui.drawButton.enabled = False
            return
        without = _("{title}: without an encoder, so only seeds have a place in its latent space.")
        self.ui.generatorText.text = (_("{title}.") if chosen.encodes else without).format(title=chosen.title)
        self.ui.drawButton.enabled = chosen.encodes

    def _take_selected(self) -> None:
        parameters = self.session.parameters
        if parameters is None or not parameters.watch.run:
            self.session.tell(_("Select a run in the table of runs first."))
            return
        self.latent.generator = Path(parameters.watch.run)
        self.refresh()

    def _list_sources(self) -> None:
        table = self.ui.sourceTable
        table.clear()
        names = {"real": _("Real"), "synthetic": _("Synthetic")}
        for source in read_sources(self.latent.sources):
            item = qt.QTreeWidgetItem([names[source.kind], str(source.folder)])
            item.setToolTip(1, str(source.folder))
            table.addTopLevelItem(item)
        table.resizeColumnToContents(0)

    def set_sources(self, sources: tuple[Source, ...]) -> None:
        """Make these the data sets that are drawn."""
        self.latent.sources = write_sources(tuple(dict.fromkeys(sources)))
        self._list_sources()
        self.refresh()

    def _add(self, kind: Kind) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self.page, _("Folder of a data set"))
        if folder:
            self.set_sources((*read_sources(self.latent.sources), Source(kind, Path(folder))))

    def _add_own(self) -> None:
        chosen = self.do(self.chosen)
        if chosen is None:
            return
        own = tuple(Source("real", folder) for folder in chosen.data)
        self.set_sources((*read_sources(self.latent.sources), *own))

    def _remove_source(self) -> None:
        table = self.ui.sourceTable
        number = table.indexOfTopLevelItem(table.currentItem()) if table.currentItem() else -1
        sources = read_sources(self.latent.sources)
        self.set_sources(tuple(source for place, source in enumerate(sources) if place != number))

    def _draw(self) -> None:
        latent = self.latent
        order = self.do(
            lambda: EmbeddingOrder(
                latent.generator, read_sources(latent.sources), latent.method.value, latent.most, latent.seed
            )
        )
        if order is None:
            return
        folder = self.results(order.stem)
        title = _("Draw the latent space of {name}").format(name=order.generator.name)
        self.start(title, folder, order.words(folder), lambda: self.show_embedding(folder))

    def _open(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self.page, _("Folder that cranial embed wrote"))
        if folder:
            self.do(lambda: self.show_embedding(Path(folder)))

    def show_embedding(self, folder: Path) -> None:
        """Show a picture that ``cranial embed`` wrote."""
        chart = show_embedding(self.session.node, folder)
        # Shown again, it is the same node with other points.
        self.latent.plot = chart
        self._show_plot(chart)

    def _show_plot(self, chart: Any) -> None:
        if self.session.parameters is None:
            return
        self._list_points(chart)
        if chart is not None:
            slicer.app.layoutManager().setLayout(LAYOUT)
            show_chart(slicer.mrmlScene, chart)
            self._plot.fit(chart, anew=True)
            self._clicks.listen()
        self.refresh()

    def _list_points(self, chart: Any) -> None:
        self._points = {} if chart is None else points_of(chart)
        former = self.ui.sourceSelector.currentText
        self.ui.sourceSelector.clear()
        self.ui.sourceSelector.addItems(list(self._points))
        if former in self._points:
            self.ui.sourceSelector.currentText = former
        self._list_cases()

    def _list_cases(self, chosen: str = "") -> None:
        names = [point.name for point in self._points.get(self.ui.sourceSelector.currentText, ())]
        self.ui.caseSelector.clear()
        self.ui.caseSelector.addItems(names)
        self.ui.caseSelector.currentIndex = names.index(chosen) if chosen in names else -1
        self.refresh()

    def _choose(self) -> None:
        point = self.point
        if point is not None:
            self.do(lambda: self.show_point(point))

    def _click(self, series: Any, row: int) -> None:
        point = point_of(series, row)
        if point.source in self._points:
            self.do(lambda: self.show_point(point))

    def _take_end(self, end: str) -> None:
        point = self.point
        text = None if point is None else self.do(lambda: end_at(point))
        if text is not None:
            setattr(self.latent, end, text)
