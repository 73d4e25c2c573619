"""The model packages that came with the extension, as a table.

Only their ``manifest.json`` is read, with the standard library: opening a module must not need, and
not load, anything that Slicer does not bring.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

_HOME = Path(__file__).resolve().parents[2]

# Installed, the packages lie beside the module; in the source tree, at its top.
FOLDERS = (_HOME / "Resources" / "Models", _HOME.parent / "Resources" / "Models")


def installed_models_table() -> Any:
    """A ``QTreeWidget`` with a row a package: name, version, licence, description.

    A package whose manifest cannot be read has a row too, which gives the reason.
    """
    table = qt.QTreeWidget()
    table.setHeaderLabels([_("Name"), _("Version"), _("Licence"), _("Description")])
    table.rootIsDecorated = False
    for folder in FOLDERS:
        for manifest in sorted(folder.glob("*/manifest.json")):
            item = qt.QTreeWidgetItem()
            for column, text in enumerate(_row(manifest)):
                item.setText(column, text)
                item.setToolTip(column, text)
            table.addTopLevelItem(item)
    return table


def _row(manifest: Path) -> tuple[str, str, str, str]:
    """The four texts of one package's row."""
    try:
        entries = json.loads(manifest.read_text(encoding="utf-8"))
        return (
            str(entries["name"]),
            str(entries["version"]),
            str(entries["licence"]),
            str(entries["description"]),
        )
    except KeyError as missing:
        reason = _("manifest.json has no entry {key}").format(key=missing)
    except (OSError, TypeError, ValueError) as error:
        reason = _("manifest.json cannot be read: {error}").format(error=error)
    return manifest.parent.name, "", "", reason
