"""What a recurrent network sees: observed frames, then its own forecasts."""

import torch
import torch.nn.functional as F
from torch import Tensor

from stormfusion.nn.teaching import Teacher
from stormfusion.types import Past


class Inputs:
    """
    The frames that a network sees, in patches: observed ones, then its own.

    Parameters
    ----------
    past, ahead, teacher
        As in `Rollout`.
    leads
        Forecast frames.
    patch
        Pixels, in each direction, that are channels of one.

    Raises
    ------
    ValueError
        If what is known ahead, or what the teacher shows, does not go with the past.
    """

    def __init__(
        self,
        past: Past,
        ahead: Past | None,
        teacher: Teacher | None,
        *,
        leads: int,
        patch: int,
    ) -> None:
        self.history, channels = past.shape[1:3]
        self.channels = channels
        steps = self.history + leads - 1
        height, width = past.shape[-2:]
        pad = (0, -width % patch, 0, -height % patch)

        def coarse(tensor: Tensor) -> Tensor:
            # dry, and not observed, beyond the edge
            tensor = F.pad(tensor, pad) if any(pad) else tensor
            if not tensor.shape[-3]:  # of which there is no shuffling
                return tensor[..., ::patch, ::patch]
            return F.pixel_unshuffle(tensor, patch)

        self.past = coarse(past)
        known = past[:, :, 1:2].amax(1) if channels > 1 else past[:, 0, :0]
        self.known = coarse(known)
        others = past[:, -1, 2:].clone()
        self.ahead = None
        if ahead is not None:
            _check_ahead(ahead, past, leads=leads)
            others = others[:, : others.shape[1] - ahead.shape[2]]
            self.ahead = coarse(ahead)
        others[:, 1::2] = 0.0  # not observed then
        self.held = coarse(others)

        # which frames are the true ones for all of a batch, for some, or for none
        self.all = [at < self.history for at in range(steps)]
        self.some = list(self.all)
        if teacher is not None:
            _check_teacher(teacher, past, leads=leads)
            self.shown = teacher.shown
            self.all = self.shown.all(0).tolist()
            self.some = self.shown.any(0).tolist()
        if any(self.some[self.history :]):
            assert teacher is not None
            if teacher.future is None or teacher.valid is None:
                raise ValueError(
                    "the teacher shows frames of the leads, but has none; give it the "
                    "future and where it is valid, or Teacher.silent"
                )
            future = torch.where(teacher.valid, teacher.future, 0.0)
            self.future = coarse(future[:, :, None])
            valid = teacher.valid[:, :, None].to(past.dtype)
            self.valid = coarse(valid if channels > 1 else valid[:, :, :0])

    def frame(self, at: int, told: Tensor | None) -> Tensor:
        """The frame that is seen at a time, of what was told before and what is so."""
        if told is None or self.all[at]:
            return _laid(self._true(at))
        rest = self._others(at)
        own = torch.cat((told, self.known, *rest), 1)
        if not self.some[at]:
            return _laid(own)
        shown = self.shown[:, at, None, None, None]
        return _laid(torch.where(shown, self._true(at), own))

    def _true(self, at: int) -> Tensor:
        if at < self.history:
            return self.past[:, at]
        lead = at - self.history
        frame = (self.future[:, lead], self.valid[:, lead])
        return torch.cat((*frame, *self._others(at)), 1)

    def _others(self, at: int) -> list[Tensor]:
        """The channels beside the target and its validity."""
        if at < self.history:
            area = self.past.shape[2] // self.channels
            return [self.past[:, at, 2 * area :]]
        ahead = [] if self.ahead is None else [self.ahead[:, at - self.history]]
        return [self.held, *ahead]


def _check_ahead(ahead: Past, past: Past, *, leads: int) -> None:
    frames, channels = ahead.shape[1:3]
    others = past.shape[2] - 2
    if frames < leads - 1 or channels > others:
        raise ValueError(
            f"what is known ahead are the last of the {max(others, 0)} channels beside "
            f"the target and its validity, for {leads - 1} leads, all but the last, "
            f"but got {channels} channels for {frames} leads; leave out the first "
            f"channels, or make it for all leads"
        )


def _check_teacher(teacher: Teacher, past: Past, *, leads: int) -> None:
    batch, history = past.shape[:2]
    wanted = (batch, history + leads - 1)
    if tuple(teacher.shown.shape) != wanted:
        raise ValueError(
            f"a teacher says for each of {wanted[0]} samples and {wanted[1]} steps "
            f"({history} observed frames and {leads} leads, less one) whether the true "
            f"frame is shown, but got {tuple(teacher.shown.shape)}; see Teacher.silent"
        )


def _laid(frame: Tensor) -> Tensor:
    return frame.contiguous(memory_format=torch.channels_last)
