"""The nowcaster: fit, evaluate and tune; the rest is in what it is made from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import xarray as xr

from stormfusion.data.catalog import Catalog
from stormfusion.losses import Loss, Perceptual
from stormfusion.nn import parameter_count
from stormfusion.nowcaster import building, fitting, tuning
from stormfusion.nowcaster.calibrating import Calibrated
from stormfusion.training.optimizers import AdamW, Makes
from stormfusion.training.schedules import ScheduledSampling


class Nowcaster(Calibrated):
    """
    A nowcast of the next hour, and an ensemble of possible futures.

    Parameters
    ----------
    recipe
        What to train and by what, such as `"unet+mse"`; or a network of your own,
        with `loss`. `"persistence"`, `"extrapolation"` and `"steps"` need no training;
        with options they are objects, such as `Steps(levels=8)`.
    loss
        The loss, where `recipe` is a network.
    inputs, target
        Variables it sees and the one it forecasts; by default the radar variable that
        the catalog holds. Each input may have a grid of its own. Two inputs are derived
        from the target's own past, which is then one of them: `"extrapolation"`, the
        last frame as it is carried along to each lead, and where that is known; and
        `"motion"`, which carries it. Both take two frames or more.
    history, leads
        Number of frames it sees and forecasts.
    device
        `"auto"` for the best there is, or `"cpu"`, `"cuda"`, `"mps"`.
    seed
        Of the weights, the training windows and the members.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> catalog = Catalog.synthetic(events=3, size=64)
    >>> forecast = Nowcaster("persistence").predict(catalog[0])
    >>> forecast.vil.dims, str(forecast.lead.values[0].astype("timedelta64[m]"))
    (('lead', 'y', 'x'), '5 minutes')
    """

    def __repr__(self) -> str:
        if self._fitted is None:
            return f"<Nowcaster {self.name}, not fitted>"
        count = parameter_count(self._fitted.network)
        task = self._fitted.task
        return (
            f"<Nowcaster {self.name}, {count:,} parameters: {task.history} frames of "
            f"{', '.join(task.seen)} to {task.leads} of {task.target}>"
        )

    def fit(
        self,
        catalog: Catalog,
        *,
        validation: Catalog | None = None,
        epochs: int | None = None,
        time_limit: float | None = None,
        batch_size: int = 8,
        learning_rate: float = 1e-3,
        optimizer: Makes = AdamW(),  # noqa: B008  # frozen
        sampling: ScheduledSampling | None = None,
        resume: str | Path | None = None,
        strict: bool = False,
        progress: bool = True,
    ) -> Self:
        """
        Train on a catalog.

        Parameters
        ----------
        catalog
            Events to learn from.
        validation
            Events to choose the best weights by and to measure the errors on; by
            default the last 15 % of the catalog in time.
        epochs
            Passes, at most: 30 by default, or as many as `time_limit` allows.
        time_limit
            Seconds of training and validation, at most, but at least one step of it;
            measuring the errors takes its time after that.
        batch_size
            Windows in a step of the optimizer.
        learning_rate
            The highest, after the warm-up; the first, if the optimizer adapts it.
        optimizer
            A description, such as `AdamHD()` of `stormfusion.training`; a class of
            torch, such as `torch.optim.RAdam`, or `functools.partial` of one with
            options. It is called with groups of parameters and `lr=`.
        sampling
            Which frames a recurrent network is shown, and which are its own, such as
            `ScheduledSampling.reverse()` of `stormfusion.training`. By default it is
            shown the observed frames and none of those to be forecast.
        resume
            A file that keeps the training after every epoch. If it is there, training
            goes on from it; where it is finished it is taken as it is. One of other
            data or settings, `epochs` among them, is refused.
        strict
            Stop at the first event that cannot be read, rather than skip it.
        progress
            Draw a progress bar.

        Returns
        -------
        Nowcaster
            Itself.

        Raises
        ------
        CatalogError
            If the catalog is empty, lacks a variable, or holds no window long enough.
        GridMismatchError
            If its grids differ in spacing.
        TypeError, ValueError
            If a setting is out of range, or `optimizer` makes none.
        """
        building.check_catalog(catalog, "to learn from")
        if validation is not None:
            building.check_catalog(validation, "to validate on")
        building.check_sampling(sampling, self._network)
        task = self._infer(list(catalog))
        network = building.sized(self._network, list(catalog), task)
        self._fitted = fitting.fit(
            building.build(network, task, self.seed),
            building.known_loss(self._loss, self._network),
            catalog,
            validation,
            task=task,
            settings=fitting.Settings(
                epochs,
                time_limit,
                batch_size,
                learning_rate,
                optimizer,
                sampling,
                resume,
                strict,
                progress,
            ),
            device=self.device,
            seed=self.seed,
            identity=self._identity(task),
        )
        self.calibration = None
        return self

    def evaluate(
        self,
        catalog: Catalog,
        *,
        thresholds: Sequence[float] | None = None,
        scales: Sequence[int] = (1, 5, 17),
        members: int = 10,
        distances: Sequence[Loss] | None = None,
        baselines: Sequence[str] = ("persistence",),
        interval: float | None = None,
        strict: bool = False,
        progress: bool = True,
    ) -> xr.Dataset:
        """
        Score hindcasts of a whole catalog, with baselines beside them.

        Parameters
        ----------
        catalog
            Events that were not learned from. Of each, every window is forecast whose
            first lead follows the last lead of the one before.
        thresholds
            Of events, in the target's units; the usual ones by default.
        scales
            Widths of the windows of the fractions skill score [pixels], odd.
        members
            Members of the ensemble whose CRPS is given; 0 for none.
        distances
            Losses that compare whole maps, such as `[Perceptual(), LPIPS()]`. By
            default the perceptual distance by the encoder of the library, or by that of
            this nowcaster's own loss for variables that only it knows.
        baselines
            What is forecast beside it from the same frames, of `"persistence"`,
            `"extrapolation"` and `"steps"`, which brings its ensemble.
        interval
            Level of the interval of each score, such as 0.9, by drawing events anew,
            with all their windows; see `verification.bootstrap`.
        strict
            Stop at the first event that cannot be read, rather than skip it.
        progress
            Draw a progress bar.

        Returns
        -------
        Dataset
            Scores by forecast (this one, then the baselines), lead, threshold and
            scale.
            Counts are pooled over all pixels and windows before they are divided. How
            sharp the forecasts are stands beside: `perceptual`, `spectrum_ratio` and
            `spectrum`, see `verification.Tally`. With `interval` each score has
            `<score>_lower` and `<score>_upper` beside it, and `<score>_better`, the
            share of draws in which it is better than that of the first baseline.
        """
        building.check_catalog(catalog, "to forecast")
        names = building.checked_baselines(baselines, self._network)
        caster = self._caster(*catalog)
        beside = [caster.beside(name) for name in names if name != self.name]
        tally = caster.score(
            catalog,
            baselines=beside,
            thresholds=thresholds,
            scales=scales,
            members=members,
            distances=self._distances() if distances is None else distances,
            by_case=interval is not None,
            strict=strict,
            progress=progress,
        )
        against = beside[0].name if beside else None
        return self._stamped(tally.dataset(interval=interval, against=against))

    def tune(
        self,
        catalog: Catalog,
        *,
        term: str | Loss = "perceptual",
        weights: Sequence[float] | None = None,
        validation: Catalog | None = None,
        cost: float = 0.05,
        epochs: int | None = None,
        time_limit: float | None = None,
        batch_size: int = 8,
        learning_rate: float = 1e-3,
        optimizer: Makes = AdamW(),  # noqa: B008  # frozen
        sampling: ScheduledSampling | None = None,
        thresholds: Sequence[float] | None = None,
        members: int = 10,
        folder: str | Path | None = None,
        progress: bool = True,
    ) -> xr.Dataset:
        """
        Train with a shaping term at several weights, to see what sharpness costs.

        All trainings begin with the same weights of the network and see the same
        windows. The nowcaster itself is left as it is; with `folder`, load the one you
        choose from there.

        Parameters
        ----------
        catalog
            Events to learn from.
        term
            Name of the term, or the loss itself. If the nowcaster has one of that name,
            it is replaced.
        weights
            Weights to try, besides 0. By default a third of the weight that `balance`
            finds before training, that weight, its threefold and its tenfold.
        validation
            Events to choose the epochs by and to score on; by default the last 15 % of
            the catalog in time. The chosen weight is chosen on them: to say how good it
            is, evaluate on others.
        cost
            The largest share of its CSI, mean over leads and thresholds, that may be
            lost against weight 0. The largest weight that keeps to it is chosen.
        epochs, time_limit, batch_size, learning_rate, optimizer, sampling
            Of each training; see `fit`.
        thresholds, members
            Of the scores; see `evaluate`.
        folder
            Where to keep each nowcaster and its scores, such as `"tuning"`. Weights
            that are there are not trained again, and an interrupted training goes on.
        progress
            Draw progress bars.

        Returns
        -------
        Dataset
            By `weight`, and `lead`, `threshold` or `epoch`: `csi`, `crps`, `mse`,
            `perceptual`, `spectrum_ratio`, `lpips` where its weights are on this
            machine, the training curves, `csi_cost` (below 0 where CSI is gained) and,
            with `folder`, `file`. The attribute `chosen_weight` tells the chosen one
            and `recipe` its name, of networks and losses given as objects without their
            options: load `file` for these. `plot.tradeoff` draws it.

        Warns
        -----
        UserWarning
            If no threshold was reached, so that the CSI decides nothing; if the chosen
            weight is no sharper than weight 0.

        Raises
        ------
        CatalogError
            If there is nothing to learn from or to validate on.
        CheckpointError
            If `folder` holds the trainings of another sweep.
        ValueError
            If a weight, the cost or another argument is out of range, or maps are too
            small for the term: before anything is trained.
        """
        building.check_catalog(catalog, "to learn from")
        if validation is not None:
            building.check_catalog(validation, "to validate on")
        building.check_sampling(sampling, self._network)
        sweep = tuning.Sweep(
            self,
            building.as_term(term),
            {
                "epochs": epochs,
                "time_limit": time_limit,
                "batch_size": batch_size,
                "learning_rate": learning_rate,
                "optimizer": optimizer,
                "sampling": sampling,
            },
            {"thresholds": thresholds, "members": members},
            tuning.checked_folder(folder),
            progress,
        )
        return sweep.run(catalog, validation, weights, tuning.checked_cost(cost))

    def _distances(self) -> tuple[Loss, ...] | None:
        """Perceptual terms of its own that know a target the library's does not."""
        target = self.target if self._fitted is None else self.task.target
        if target is None or Perceptual().beware(target) is None:
            return None
        terms = () if self._loss is None else self._loss.terms
        own = (t.loss for t in terms if isinstance(t.loss, Perceptual))
        return tuple(loss for loss in own if loss.beware(target) is None)
