"""The errors a caller can act on; each is also a built-in."""


class RecipeError(ValueError):
    """A recipe that cannot be read, such as `"unet+mze"`."""


class GridMismatchError(ValueError):
    """Fields on grids that do not fit each other or the model."""


class CatalogError(ValueError):
    """A catalog that is empty, or that lacks what was asked of it."""


class CorruptFileError(OSError):
    """A data file that is truncated, foreign or damaged."""


class CheckpointError(ValueError):
    """A file that is not a whole stormfusion checkpoint."""


class WeightsError(RuntimeError):
    """Weights of a trained network that are not on this machine, or do not fit it."""


class NotFittedError(RuntimeError):
    """An estimator that was asked for a forecast before it was fitted."""


class MissingExtraError(ImportError):
    """An optional package that is needed and not installed."""
