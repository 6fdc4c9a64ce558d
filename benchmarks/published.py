"""
The recurrent networks in the arithmetic of their public implementations.

A convolution for every field and gate, states that begin as maps of zeros, a loop over
frames, everything in the gradient's graph; and what is computed and not used is
computed. The equations are those of the papers, without the mistakes of the public
code: a flow of zero moves nothing, and flows are each sample's own. Their weights have
the names of `stormfusion.nn`, so that one loads into the other: the tests compare what
they forecast, and `recurrent_speed.py` how long they take.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stormfusion.nn import ConvLSTM, MotionRNN, PredRNN, Recurrent, TrajGRU


def _gates(values: Tensor, count: int = 3) -> tuple[Tensor, ...]:
    f, i, g, *o = values.chunk(count, 1)
    return f.sigmoid(), i.sigmoid(), g.tanh(), *o


def _convlstm(cell: Any, x: Tensor, _: Tensor, m: Tensor, state: list[Tensor]) -> Any:
    h, c = state
    f, i, g, o = _gates(cell.of_input(x) + cell.of_hidden(h), 4)
    c = f * c + i * g
    return [o.sigmoid() * c.tanh(), c], m


def _st_lstm(
    cell: Any, x: Tensor, m: Tensor, h: Tensor, c: Tensor, *, kept: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    f, i, g, o = _gates(cell.of_input(x) + cell.of_hidden(h), 4)
    c = (f * c if kept is None else kept) + i * g
    f, i, g = _gates(cell.shared_of_input(x) + cell.shared_of_shared(m))
    m = f * m + i * g
    o = (o + cell.out_of_memory(c) + cell.out_of_shared(m)).sigmoid()
    return o * cell.mix(torch.cat([c, m], 1)).tanh(), c, m, o


def _predrnn(cell: Any, x: Tensor, _: Tensor, m: Tensor, state: list[Tensor]) -> Any:
    h, c, m, _ = _st_lstm(cell, x, m, *state)
    return [h, c], m


def _mim(
    cell: Any, x: Tensor, below: Tensor, m: Tensor, state: list[Tensor]
) -> tuple[list[Tensor], Tensor, Tensor]:
    h, c, n, s = state
    d = x - below
    f, i, g = _gates(cell.change_of_change(d) + cell.change_of_memory(n))
    n = f * n + i * g
    o = (cell.change_out_of_change(d) + cell.change_out_of_memory(n)).sigmoid()
    f, i, g, rest = _gates(
        cell.stay_of_change(o * n.tanh()) + cell.stay_of_memory(c), 4
    )
    s = f * s + i * g
    kept = (rest + cell.stay_out_of_memory(s)).sigmoid() * s.tanh()
    # in the lowest layer all of this is computed, and not used
    used = None if cell.lowest else kept
    h, c, m, o = _st_lstm(cell.base, x, m, h, c, kept=used)
    return [h, c, n, s], m, o


def _mim_alone(
    cell: Any, x: Tensor, below: Tensor, m: Tensor, state: list[Tensor]
) -> Any:
    state, m, _ = _mim(cell, x, below, m, state)
    return state, m


def _warp(field: Tensor, flow: Tensor) -> Tensor:
    batch, _, height, width = field.shape
    x = torch.arange(width).view(1, 1, -1).repeat(batch, height, 1)
    y = torch.arange(height).view(1, -1, 1).repeat(batch, 1, width)
    flow = flow if flow.dtype == torch.float64 else flow.float()
    place = torch.stack([x, y], 1) + flow
    u = 2.0 * place[:, 0] / max(width - 1, 1) - 1.0
    v = 2.0 * place[:, 1] / max(height - 1, 1) - 1.0
    return F.grid_sample(
        field.to(flow.dtype), torch.stack([u, v], -1), align_corners=True
    )


def _trajgru(cell: Any, x: Tensor, _: Tensor, m: Tensor, state: list[Tensor]) -> Any:
    (h,) = state
    flows = F.leaky_relu(cell.flow_of_input(x) + cell.flow_of_hidden(h), 0.2)
    flows = cell.flow(flows)
    links = flows.chunk(flows.shape[1] // 2, 1)
    carried = cell.carried(torch.cat([_warp(h, -link) for link in links], 1))
    (zx, rx, nx), (zh, rh, nh) = cell.of_input(x).chunk(3, 1), carried.chunk(3, 1)
    z, r = (zx + zh).sigmoid(), (rx + rh).sigmoid()
    n = F.leaky_relu(nx + r * nh, 0.2)
    return [(1 - z) * n + z * h], m


def _motionrnn(
    cell: Any, x: Tensor, below: Tensor, m: Tensor, state: list[Tensor]
) -> Any:
    *own, flow, trend = state
    (h, *rest), m, o = _mim(cell.base, x, below, m, own)
    unit = cell.motion
    e = unit.encode(h)
    both = torch.cat([e, flow], 1)
    u, r = unit.update(both).sigmoid(), unit.reset(both).sigmoid()
    z = unit.renew(torch.cat([e, r * flow], 1)).tanh()
    trend = trend + 0.5 * (flow - trend)
    flow = u * z + (1 - u) * flow + trend
    moved = torch.stack([_warp(e, flow[:, k : k + 2]) for k in range(0, 18, 2)], -1)
    mask = unit.mask(e).sigmoid().permute(0, 2, 3, 1).unsqueeze(1)
    moved = (mask * moved).permute(0, 1, 4, 2, 3).flatten(1, 2)
    moved = unit.decode(unit.narrow(moved))
    g = unit.gate(torch.cat([moved, h], 1)).sigmoid()
    moved = g * h + (1 - g) * moved
    # on the last layer all of this is computed, and not used
    out = h if cell.last else moved + (1 - o) * x
    return [out, *rest, flow, trend], m


_STEPS: dict[str, tuple[Callable[..., Any], int]] = {
    "convlstm": (_convlstm, 2),
    "trajgru": (_trajgru, 1),
    "predrnn": (_predrnn, 2),
    "mim": (_mim_alone, 4),
    "motionrnn": (_motionrnn, 4),
}


class Published(nn.Module):
    """
    A recurrent network in the arithmetic of the public implementations.

    Parameters
    ----------
    spec
        Which, with its sizes; of MIM and MotionRNN the one that is not lean.
    channels, history, leads
        As for `stormfusion.nn.Network.build`.
    """

    def __init__(
        self, spec: Recurrent, *, channels: int, history: int, leads: int
    ) -> None:
        super().__init__()
        self.spec, self.history, self.leads = spec, history, leads
        self.embed = nn.Conv2d(channels, spec.hidden, 1)
        self.cells = nn.ModuleList(spec.cell(layer) for layer in range(spec.layers))
        self.head = nn.Conv2d(spec.hidden, 1, 1)

    def forward(self, past: Tensor) -> Tensor:
        """All frames but the first, of those observed and the leads."""
        step, count = _STEPS[self.spec.name]
        batch, _, _, height, width = past.shape
        zero = past.new_zeros(batch, self.spec.hidden, height, width)
        state = [zero] * count
        if isinstance(self.spec, MotionRNN):
            half = past.new_zeros(batch, 18, height // 2, width // 2)
            state = [*state, half, half]
        states, shared, found = [state] * len(self.cells), zero, []
        for at in range(self.history + self.leads - 1):
            x = self.embed(past[:, at] if at < self.history else found[-1])
            new: list[list[Tensor]] = []
            for layer, cell in enumerate(self.cells):
                below = states[layer - 1][0] if layer else zero
                state, shared = step(cell, x, below, shared, states[layer])
                new.append(state)
                x = state[0]
            states = new
            found.append(self.head(x))
        return torch.cat(found, 1)


def published(spec: Recurrent) -> Recurrent:
    """The published form of a network, with all parameters that it has."""
    if isinstance(spec, ConvLSTM | TrajGRU | PredRNN):
        return spec
    return type(spec)(**{**vars(spec), "lean": False})
