"""A 3D view without a window or a display, as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkRenderingOpenGL2 import vtkEGLRenderWindow

MANAGERS = (
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLColorLegendDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
)


class View:
    """A 3D view of a scene.

    Args:
        application: with ``scene`` and ``logic``.
        size: pixels, width and height.
    """

    def __init__(self, application: Any, size: tuple[int, int] = (640, 480)) -> None:
        self._renderer = vtk.vtkRenderer()
        self._renderer.SetBackground(1.0, 1.0, 1.0)
        self._window = vtkEGLRenderWindow()
        self._window.SetOffScreenRendering(True)
        self._window.SetSize(*size)
        # As in Slicer's views, unless somebody asks for it: on a computer without a graphics card it takes most of
        # the time.
        self._window.SetMultiSamples(0)
        # Markups and legends are drawn in layers of their own above the models.
        self._window.SetNumberOfLayers(3)
        self._window.AddRenderer(self._renderer)
        # Displayable managers ask it for the window's size.
        interactor = vtk.vtkGenericRenderWindowInteractor()
        interactor.SetRenderWindow(self._window)
        self._interactor = interactor
        self._factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory()
        self._factory.SetMRMLApplicationLogic(application.logic)
        for name in MANAGERS:
            self._factory.RegisterDisplayableManager(name)
        view_node = application.scene.AddNewNodeByClass("vtkMRMLViewNode")
        self._managers = self._factory.InstantiateDisplayableManagers(self._renderer)
        self._managers.SetMRMLDisplayableNode(view_node)

    def draw(self) -> None:
        """Draw what there is from where the camera stands."""
        self._window.Render()

    def picture(self, direction: tuple[float, float, float] = (0.0, 1.0, 0.0)) -> npt.NDArray[np.uint8]:
        """What is seen (rows, columns, RGB), looking along ``direction`` (RAS), superior up."""
        camera = self._renderer.GetActiveCamera()
        camera.SetFocalPoint(0.0, 0.0, 0.0)
        camera.SetPosition(*(-part for part in direction))
        camera.SetViewUp(0.0, 0.0, 1.0)
        self._renderer.ResetCamera()
        self._window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.ReadFrontBufferOff()
        grab.Update()
        image = grab.GetOutput()
        columns, rows, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, -1)[::-1].copy()
