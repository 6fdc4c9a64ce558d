"""Pictures of a footprint."""

from stormfusion.footprint.exporting import Exported


class Shown(Exported):
    """
    A footprint that can be looked at.

    Parameters
    ----------
    dataset
        As in `Footprint`.
    """

    def plot(self):  # type: ignore[no-untyped-def]
        """Draw the probabilities over the window; returns the figure."""
        from stormfusion import plot

        return plot.footprint(self.dataset)
