"""What a footprint is given out as: files of other programs, and pages to look at."""
