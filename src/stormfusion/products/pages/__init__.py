"""Pages to look at: an interactive map and a report."""
