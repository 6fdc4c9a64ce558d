from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import gradcheck
from torch.autograd.graph import saved_tensors_hooks

from stormfusion.nn.fused import Fused, Rows
from stormfusion.nn.gates import exact, lstm, remembered, told, written

DOUBLE = {"dtype": torch.float64}


def random(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    made = torch.randn(*shape, dtype=dtype)
    return made.contiguous(memory_format=torch.channels_last).requires_grad_()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_a_memory_is_kept_and_written_by_its_gates() -> None:
    f, i, g, o = (random(2, 3, 5, 4) for _ in range(4))
    memory = random(2, 3, 5, 4)
    kept = f.sigmoid() * memory + i.sigmoid() * g.tanh()
    wanted = o.sigmoid() * kept.tanh()
    gates = torch.cat((f, i, 2 * g, o), 1).sigmoid()
    hidden, now = lstm(gates, memory)
    torch.testing.assert_close(now, kept)
    torch.testing.assert_close(hidden, wanted)
    alone = remembered(gates[:, :9], memory)
    torch.testing.assert_close(alone, kept)
    torch.testing.assert_close(told(gates[:, 9:], alone), wanted)
    torch.testing.assert_close(written(gates[:, 3:9]), i.sigmoid() * g.tanh())
    weights = torch.rand_like(wanted), torch.rand_like(wanted)
    inputs = (f, i, g, o, memory)
    found, expected = (
        torch.autograd.grad(
            (h * weights[0]).sum() + (c * weights[1]).sum(), inputs, retain_graph=True
        )
        for h, c in ((hidden, now), (wanted, kept))
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("known", [True, False])
def test_gradients_of_the_gates(known: bool) -> None:
    memory = random(1, 2, 3, 2) if known else None
    four = torch.rand(1, 8, 3, 2, **DOUBLE, requires_grad=True)
    assert gradcheck(lstm, (four, memory))
    assert gradcheck(lambda g, m: lstm(g, m)[0], (four, memory))
    assert gradcheck(lambda g, m: remembered(g[:, :6], m), (four, memory))
    assert gradcheck(lambda g: written(g[:, :4]), (four,))
    assert gradcheck(lambda g: told(g[:, :2], g[:, 2:4] * 3 - 1), (four,))


def test_no_memory_is_a_memory_of_zeros() -> None:
    gates = torch.rand(1, 8, 3, 2)
    zeros = torch.zeros(1, 2, 3, 2)
    for one, other in zip(lstm(gates, None), lstm(gates, zeros), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(remembered(gates[:, :6], None), remembered(gates[:, :6], zeros))


def layers(*channels: int, out: int = 4, kernel: int = 3) -> list[nn.Conv2d]:
    return [nn.Conv2d(c, out, kernel, padding=kernel // 2, **DOUBLE) for c in channels]


@pytest.mark.parametrize("squashed", [True, False])
def test_fused_convolutions_are_the_sum_of_each(squashed: bool) -> None:
    one, other = layers(2, 3)
    fields = random(2, 2, 5, 7), random(2, 3, 5, 7)
    parts = Rows(one, 0, 4), Rows(other, 0, 4)
    fused = Fused.of(*parts, dtype=torch.float64, squashed=squashed)
    total = one(fields[0]) + other(fields[1])
    wanted = total.sigmoid() if squashed else total
    torch.testing.assert_close(fused(*fields), wanted)
    # a field that is not there is one of zeros
    zeros = torch.zeros_like(fields[1])
    torch.testing.assert_close(fused(fields[0], None), fused(fields[0], zeros))


@pytest.mark.parametrize("squashed", [True, False])
@pytest.mark.parametrize("kernel", [1, 3])
def test_gradients_of_fused_convolutions(squashed: bool, kernel: int) -> None:
    one, other = layers(1, 2, out=2, kernel=kernel)

    def together(*inputs: Tensor) -> Tensor:
        a, b, weight, bias = inputs
        fused = Fused(weight, bias, (1, 2), torch.float64, squashed)
        return fused(a, b) + fused(a, None)

    weight = torch.cat((one.weight, other.weight), 1).detach().requires_grad_()
    bias = one.bias.detach().requires_grad_()
    assert gradcheck(together, (random(2, 1, 3, 1), random(2, 2, 3, 1), weight, bias))


def test_some_rows_of_a_layer_and_those_for_a_tangent_doubled() -> None:
    (layer,) = layers(2)
    field = random(1, 2, 4, 4)
    fused = Fused.of(Rows(layer, 1, 4, (1, 3)), dtype=torch.float64)(field)
    all_rows = layer(field)
    torch.testing.assert_close(fused[:, :1], all_rows[:, 1:2].sigmoid())
    torch.testing.assert_close(2 * fused[:, 1:] - 1, all_rows[:, 2:4].tanh())


def test_an_embedding_merges_into_the_layer_that_sees_it() -> None:
    embed, layer = nn.Conv2d(2, 5, 1, **DOUBLE), layers(5)[0]
    frame = random(1, 2, 4, 6)
    weight, bias = embed.weight[:, :, 0, 0], embed.bias
    matrix = torch.cat((weight, bias[:, None]), 1)
    fused = Fused.of(
        Rows(layer, 0, 4), dtype=torch.float64, embedding=matrix, squashed=False
    )
    ones = torch.ones_like(frame[:, :1])
    # the edges, too, beyond which what is embedded is zero, its bias among it
    torch.testing.assert_close(fused(torch.cat((frame, ones), 1)), layer(embed(frame)))


def test_gradients_of_weights_add_up_in_full_precision() -> None:
    weight, bias = torch.randn(4, 2, 3, 3), torch.randn(4)
    weight.requires_grad_(), bias.requires_grad_()
    fused = Fused(weight, bias, (2,), torch.bfloat16)
    frames = torch.randn(64, 1, 2, 8, 8)
    seen: list[torch.dtype] = []
    weight.register_hook(lambda gradient: seen.append(gradient.dtype))
    made = [fused(frame) for frame in frames]
    assert {m.dtype for m in made} == {torch.bfloat16}
    sum(m.float().sum() for m in made).backward()
    assert seen == [torch.float32]
    wanted = torch.autograd.grad(
        sum(F.conv2d(frame, weight, bias, padding=1).sum() for frame in frames), weight
    )[0]
    # one rounding of each frame's, and none of their sum
    torch.testing.assert_close(weight.grad, wanted, atol=0.6, rtol=0.01)


def test_states_are_kept_in_full_precision() -> None:
    gates = torch.rand(1, 8, 3, 2).bfloat16()
    hidden, memory = lstm(gates, None)
    assert (hidden.dtype, memory.dtype) == (torch.bfloat16, torch.float32)
    assert remembered(gates[:, :6], None).dtype == torch.float32
    assert told(gates[:, :2], memory).dtype == torch.bfloat16
    assert exact(gates).dtype == torch.float32
    assert exact(gates.double()).dtype == torch.float64


def test_no_copy_of_what_lies_side_by_side_is_kept() -> None:
    fused = Fused.of(*(Rows(la, 0, 4) for la in layers(4, 4)), dtype=torch.float64)
    fields = [random(1, 4, 16, 16) for _ in range(2)]
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()

    with saved_tensors_hooks(count, lambda tensor: tensor):
        made = fused(*fields)
    field = 4 * 16 * 16 * 8
    sizes = sorted(kept.values(), reverse=True)
    assert sizes[:3] == [field] * 3  # both fields and the gates
    assert all(size < field for size in sizes[3:])
    assert made.requires_grad
    assert all(a >= b for a, b in pairwise(sizes))
