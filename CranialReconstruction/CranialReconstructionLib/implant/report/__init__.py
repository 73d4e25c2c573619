"""The report of an implant: one page that needs no network, and the same as PDF."""
