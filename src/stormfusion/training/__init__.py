"""
Training: the loop (`loop`), its steps (`step`), where it runs (`device`), how (`plan`).

Nothing is imported here: the loop brings Lightning Fabric, which takes two seconds, and
comes when something is fitted.
"""
