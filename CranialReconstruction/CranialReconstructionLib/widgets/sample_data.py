"""The demo head in Slicer's Sample Data module: it came with the extension, and no network is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

CATEGORY = "CranialReconstruction"
NAME = "CranialDemoHead"
FILE = "defective_skull.nrrd"
NODE = "DemoHead"
SHA256 = "2dcffcdf8e3192e8738cf3ecdbf267159a7d99d6140eaa695b9852679aadbf78"

_MODULE = Path(__file__).resolve().parents[2]
# Installed, the data lie beside the module's other resources; in the source tree, at its top.
_PLACES = tuple(home / "Resources" / "SampleData" / "DemoHead" / FILE for home in (_MODULE, _MODULE.parent))


def sample_file() -> Path:
    """The file of the demo head's skull."""
    return next((path for path in _PLACES if path.is_file()), _PLACES[0])


def register_sample_data() -> None:
    """Add the demo head to the Sample Data module."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataCategory(CATEGORY, title=_("Cranial Reconstruction"))
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=NAME,
        thumbnailFileName=str(_MODULE / "Resources" / "Icons" / "CranialDemoHead.png"),
        uris=sample_file().as_uri(),
        fileNames=f"CranialDemoHead-{SHA256[:8]}.nrrd",
        nodeNames=NODE,
        loadFileTypes="VolumeFile",
        loadFileProperties={"labelmap": True},
        checksums=f"SHA256:{SHA256}",
    )


def load_demo_head() -> Any:
    """Load it into the scene; its label map node."""
    import SampleData

    register_sample_data()
    return SampleData.downloadSample(NAME)
