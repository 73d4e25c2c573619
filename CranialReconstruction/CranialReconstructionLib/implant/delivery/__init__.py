"""From masks and a design to a folder with the implant's files: what every door of the program hands out."""
