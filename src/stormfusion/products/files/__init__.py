"""Files that other programs read, and tables of places."""
