"""Implants as files: STL, PLY, OBJ, 3MF, glTF, and DICOM. ``formats`` picks the writer by the file's name."""
