"""Skulls and defects on disk, and their division by skull into training, validation and test."""
