import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from stormfusion.losses import BMAE, BMSE, FFL, FFMAE, FFMSE, MAE, MSE
from stormfusion.losses.focal import frame_weights

BY_HAND = (1.0, 1.5, 2.0, 3.0)
DIFFERENCES = st.lists(
    st.integers(0, 1000).map(lambda n: n / 1000), min_size=2, max_size=8
)


def frames(differences) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A sequence of frames of one pixel, each off by a difference."""
    forecast = torch.tensor(differences, dtype=torch.float32).reshape(1, -1, 1, 1)
    return forecast, torch.zeros_like(forecast), torch.ones_like(forecast).bool()


def fields(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    forecast, observed = torch.rand(2, 3, 4, 9, 11, generator=generator)
    valid = torch.rand(3, 4, 9, 11, generator=generator) > 0.2
    valid[1, 2] = False
    return forecast, observed, valid


def weights_of(differences, *, k: float = 2.0, eps: float = 0.01) -> list[float]:
    return frame_weights(*frames(differences), k=k, eps=eps)[0].tolist()


def test_by_hand() -> None:
    wanted = [0.01**2, 0.26**2, 0.51**2, 1.01**2]
    assert weights_of(BY_HAND) == pytest.approx(wanted)
    absolute = sum(w * d for w, d in zip(wanted, BY_HAND, strict=True)) / 4
    squared = sum(w * d**2 for w, d in zip(wanted, BY_HAND, strict=True)) / 4
    assert_close(FFMAE()(*frames(BY_HAND)), torch.tensor(absolute))
    assert_close(FFMSE()(*frames(BY_HAND)), torch.tensor(squared))
    ffl = FFL().bound("rain_rate")(*frames(BY_HAND))
    assert_close(ffl, torch.tensor(absolute + squared))  # dry pixels weigh 1


def test_why_no_gradient_flows_through_the_weights() -> None:
    forecast, observed, valid = frames(BY_HAND)
    leaf = forecast.requires_grad_()
    FFMAE()(leaf, observed, valid).backward()
    detached = leaf.grad.flatten().tolist()
    assert detached == pytest.approx([0, 0.017, 0.065, 0.255], abs=5e-4)

    D = torch.tensor(BY_HAND, requires_grad=True)
    W = ((D - D.min()) / (D.max() - D.min()) + 0.01) ** 2
    (W * D).mean().backward()
    attached = D.grad.tolist()
    assert attached == pytest.approx([-0.201, 0.114, 0.320, 0.103], abs=5e-4)
    # a reward for a worse forecast of the easiest frame, and less for the hardest
    assert attached[0] < 0 <= detached[0]
    assert attached[3] < detached[3]


@settings(max_examples=100, deadline=None)
@given(DIFFERENCES, st.floats(0, 6), st.floats(1e-3, 1))
def test_the_range_of_the_weights(differences, k: float, eps: float) -> None:
    found = weights_of(differences, k=k, eps=eps)
    if min(differences) == max(differences):
        assert found == [1.0] * len(differences)
        return
    easiest, hardest = eps**k, (1 + eps) ** k
    assert min(found) == pytest.approx(easiest, rel=1e-3)
    assert max(found) == pytest.approx(hardest, rel=1e-3)
    order = sorted(range(len(found)), key=lambda t: differences[t])
    assert [found[t] for t in order] == sorted(found)


@settings(max_examples=100, deadline=None)
@given(DIFFERENCES, st.sampled_from([2.0**-9, 0.5, 8.0]))
def test_the_weights_do_not_depend_on_the_scale(differences, scale: float) -> None:
    assert weights_of([scale * d for d in differences]) == weights_of(differences)


@pytest.mark.parametrize(
    ("focal", "plain"),
    [
        (FFMSE(k=0), MSE()),
        (FFMAE(k=0), MAE()),
    ],
    ids=str,
)
def test_without_focus_it_is_the_plain_loss_bit_for_bit(focal, plain) -> None:
    for seed in range(5):
        args = fields(seed)
        assert torch.equal(focal(*args), plain(*args))
    same = frames([0.0, 0.0])
    assert torch.equal(focal(*same), plain(*same))


def test_without_focus_ffl_is_both_balanced_errors() -> None:
    forecast, observed, valid = fields()
    both = (BMSE() + BMAE()).bound("vil")
    assert_close(
        FFL(k=0).bound("vil")(forecast, observed, valid),
        both(forecast, observed, valid),
    )


@pytest.mark.parametrize("value", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("k", [0.0, 0.5, 2.0, 20.0])
def test_frames_as_hard_as_each_other_weigh_one(value: float, k: float) -> None:
    assert weights_of([value] * 3, k=k) == [1.0] * 3
    assert weights_of([value], k=k) == [1.0]
    # and so do those that rounding alone tells apart: means of unequal numbers
    forecast = torch.full((1, 3, 7, 9), value)
    valid = torch.rand(1, 3, 7, 9, generator=torch.Generator().manual_seed(0)) > 0.3
    found = frame_weights(forecast * valid, 0 * forecast, valid, k=k, eps=0.01)
    assert found.tolist() == [[1.0] * 3]


def test_minimum_and_maximum_are_those_of_each_sequence() -> None:
    forecast, observed, valid = fields()
    args = forecast * valid, observed * valid, valid
    together = frame_weights(*args, k=2.0, eps=0.01)
    for n in range(3):
        one = slice(n, n + 1)
        alone = frame_weights(*(field[one] for field in args), k=2.0, eps=0.01)
        assert torch.equal(together[one], alone)


def test_frames_without_a_valid_pixel_are_neither_easy_nor_hard() -> None:
    forecast, observed, valid = frames((1.0, 9.0, 2.0, 0.0))
    valid[0, 1] = valid[0, 3] = False
    forecast = forecast * valid
    found = frame_weights(forecast, observed, valid, k=2.0, eps=0.01)
    assert found[0, ::2].tolist() == pytest.approx([0.01**2, 1.01**2])
    assert found[0, 1::2].tolist() == [1.0, 1.0]
    valid[0, 2] = False  # one frame is left
    assert frame_weights(forecast, observed, valid, k=2.0, eps=0.01).eq(1).all()


def test_how_hard_a_frame_is_does_not_depend_on_how_much_of_it_was_seen() -> None:
    forecast = torch.tensor([0.1, 0.2, 0.4]).reshape(1, 3, 1, 1).expand(1, 3, 8, 8)
    valid = torch.ones(1, 3, 8, 8, dtype=torch.bool)
    whole = frame_weights(forecast, 0 * forecast, valid, k=2.0, eps=0.01)
    valid[0, 2, 1:] = False
    part = frame_weights(forecast * valid, 0 * forecast, valid, k=2.0, eps=0.01)
    assert_close(part, whole)


def test_a_batch_may_be_cut_into_parts() -> None:
    forecast, observed, valid = fields()
    for loss in (FFMSE(), FFMAE(), FFL().bound("rain_rate")):
        total = sum(
            loss(forecast[n : n + 1], observed[n : n + 1], valid[n : n + 1])
            * valid[n].sum()
            for n in range(3)
        )
        assert_close(loss(forecast, observed, valid), total / valid.sum())


@pytest.mark.parametrize("of", [FFMSE, FFMAE, FFL])
@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"k": -0.1}, r"k=-0\.1, wanted a finite number, 0 or more"),
        ({"k": math.inf}, "k=inf, wanted a finite number"),
        ({"k": math.nan}, "k=nan, wanted a finite number"),
        ({"eps": 0.0}, r"eps=0\.0, wanted a finite number above zero"),
        ({"eps": -1.0}, r"eps=-1\.0, wanted a finite number above zero"),
        ({"eps": math.nan}, "eps=nan, wanted a finite number"),
    ],
)
def test_errors_at_construction(of, options, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        of(**options)


@pytest.mark.parametrize("wrong", ["2", None, True, (2,)])
@pytest.mark.parametrize("name", ["k", "eps"])
def test_what_is_no_number_focuses_nothing(name: str, wrong: object) -> None:
    with pytest.raises(ValueError, match=f"got {name}=.* wanted a finite number"):
        FFL(**{name: wrong})
