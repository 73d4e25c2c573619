"""The model packages that are there, as a table. Only manifests are read."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from CranialReconstructionLib.workflow.models import list_models


def installed_models_table() -> Any:
    """A ``QTreeWidget`` with a row a package: name, version, licence, description.

    A package whose manifest cannot be read has a row too, which gives the reason.
    """
    table = qt.QTreeWidget()
    table.setHeaderLabels([_("Name"), _("Version"), _("Licence"), _("Description")])
    table.rootIsDecorated = False
    for model in list_models():
        manifest = model.manifest
        texts = (
            (model.name, "", "", model.problem)
            if manifest is None
            else (manifest.name, manifest.version, manifest.licence, manifest.description)
        )
        item = qt.QTreeWidgetItem()
        for column, text in enumerate(texts):
            item.setText(column, text)
            item.setToolTip(column, text)
        table.addTopLevelItem(item)
    return table
