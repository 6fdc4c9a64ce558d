import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from stormfusion import Catalog
from stormfusion.errors import CatalogError, WeightsError
from stormfusion.nn import RadarEncoder
from stormfusion.nn.pairs import PairSource
from stormfusion.nn.pretext import compared

QUICK = {"steps": 2, "batch_size": 4, "patch": 32, "progress": False}


@pytest.fixture(scope="module")
def storms() -> Catalog:
    return Catalog.synthetic(events=3, size=64, frames=12, variables=["vil"], seed=2)


def frame_by_frame(*fields):
    """Frames of batch and lead, of all fields together."""
    return zip(*(field.flatten(0, 1) for field in fields), strict=True)


def by_hand(encoder, forecast, observed, valid):
    """The formula of `distance`, depth by depth and place by place."""
    total = 0.0
    for depth, share in enumerate(encoder.shares):
        block = 2 ** (depth + 1)
        for f, o, v in frame_by_frame(forecast, observed, valid):
            apart = encoder(f[None])[depth][0] - encoder(o[None])[depth][0]
            squared = apart.square().mean(0)
            for y in range(squared.shape[0]):
                for x in range(squared.shape[1]):
                    box = v[y * block : (y + 1) * block, x * block : (x + 1) * block]
                    known = float(box.float().mean())
                    total += share * block**2 * known * float(squared[y, x]) / 2
    return total / float(valid.sum())


def texture_by_hand(encoder, forecast, observed, valid):
    """Of the first two depths: root mean squares over tiles of 16 pixels."""
    total = 0.0
    for depth in (0, 1):
        block = 2 ** (depth + 1)
        for f, o, v in frame_by_frame(forecast, observed, valid):
            known = v.float().unflatten(0, (-1, block)).unflatten(2, (-1, block))
            known = known.mean((1, 3))
            ours, theirs = (encoder(field[None])[depth][0] for field in (f, o))
            side = 16 // block
            for y in range(0, known.shape[0], side):
                for x in range(0, known.shape[1], side):
                    tile = np.s_[..., y : y + side, x : x + side]
                    share = known[tile] / known[tile].sum()
                    loud = [
                        ((found[tile] ** 2 * share).sum((1, 2)) + 0.01).sqrt()
                        for found in (ours, theirs)
                    ]
                    apart = float((loud[0] - loud[1]).square().mean())
                    pixels = float(known[tile].sum()) * block**2
                    total += 1.5 * pixels * apart / 2
    return total / float(valid.sum())


def test_the_distance_is_the_formula() -> None:
    torch.manual_seed(0)
    encoder = RadarEncoder(shares=(0.1, 0.2, 0.3, 0.4)).frozen()
    encoder.spread_1 *= torch.rand(32)
    forecast, observed = torch.rand(2, 1, 2, 48, 64)
    valid = torch.rand(1, 2, 48, 64) > 0.2
    forecast, observed = forecast * valid, observed * valid
    total, pixels = encoder.distance(forecast, observed, valid)
    assert pixels.tolist() == valid.sum((2, 3)).tolist()
    place = by_hand(encoder, forecast, observed, valid)
    texture = texture_by_hand(encoder, forecast, observed, valid)
    expected = (place + texture) / 2
    assert float(total.sum() / pixels.sum()) == pytest.approx(expected, rel=1e-4)


def test_any_size_from_the_field_on() -> None:
    encoder = RadarEncoder.shipped()
    fields = torch.rand(2, 1, 1, 37, 45)
    valid = torch.ones(1, 1, 37, 45, dtype=torch.bool)
    total, pixels = encoder.distance(*fields, valid)
    assert float(total) > 0
    assert float(pixels) == 37 * 45
    small = torch.rand(2, 1, 1, 31, 64)
    with pytest.raises(ValueError, match=r"32 x 32 .* but got a map of 31 x 64"):
        encoder.distance(*small, torch.ones(1, 1, 31, 64, dtype=torch.bool))


def test_a_file_gives_the_same_encoder_back(tmp_path) -> None:
    encoder = RadarEncoder(("rain",), widths=(4, 8), shares=(0.5, 0.5)).frozen()
    path = encoder.save(tmp_path / "encoder.safetensors")
    again = RadarEncoder.load(path)
    assert again.variables == ("rain",)
    assert again.shares == (0.5, 0.5)
    assert again.digest == encoder.digest
    frames = torch.rand(2, 32, 32)
    for one, other in zip(encoder(frames), again(frames), strict=True):
        assert_close(one, other, rtol=0, atol=0)
    assert not any(weight.requires_grad for weight in again.parameters())
    assert not again.training


def test_files_that_are_no_encoder(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file"):
        RadarEncoder.load(tmp_path / "none.safetensors")
    (tmp_path / "text").write_text("no")
    with pytest.raises(WeightsError, match=r"no radar encoder .*RadarEncoder\.save"):
        RadarEncoder.load(tmp_path / "text")
    encoder = RadarEncoder(widths=(4, 8), shares=(0.5, 0.5))
    path = encoder.save(tmp_path / "encoder.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(WeightsError, match="no radar encoder"):
        RadarEncoder.load(path)
    path.write_bytes(whole[:-4] + b"abcd")
    with pytest.raises(WeightsError, match="damaged"):
        RadarEncoder.load(path)
    with torch.no_grad():
        encoder.depths[0].weight[0] = torch.nan
    with pytest.raises(WeightsError, match="not finite"):
        RadarEncoder.load(encoder.save(path))


def test_a_file_of_another_kind_of_network(tmp_path) -> None:
    from stormfusion import Nowcaster

    catalog = Catalog.synthetic(events=2, size=64, variables=["vil"])
    still = Nowcaster("persistence").fit(catalog[:1], validation=catalog[1:])
    path = still.save(tmp_path / "still.safetensors")
    with pytest.raises(WeightsError, match="no radar encoder"):
        RadarEncoder.load(path)


def test_shares_add_up() -> None:
    for shares in (
        (1.0, 0.0, 0.0),
        (0.5, 0.5, 0.5, 0.5),
        (1.5, -0.5, 0.0, 0.0),
        (math.nan, 0.5, 0.5, 0.0),
    ):
        with pytest.raises(ValueError, match=r"wanted 4, one .* add up to 1"):
            RadarEncoder(shares=shares)


@pytest.mark.parametrize("widths", [(), (8, 0), (8, 1.5), (True, 8)])
def test_depths_have_channels(widths) -> None:
    with pytest.raises(ValueError, match="wanted channels of one or several depths"):
        RadarEncoder(widths=widths, shares=(1.0,))


@pytest.mark.parametrize("variables", ["vil", (), ("depth",)])
def test_variables_have_scalings(variables) -> None:
    with pytest.raises(ValueError, match="wanted one"):
        RadarEncoder(variables)


def test_the_shipped_encoder_is_ones_own_copy() -> None:
    mine = RadarEncoder.shipped()
    with torch.no_grad():
        mine.spread_0.zero_()
    assert RadarEncoder.shipped().spread_0.all()


def test_the_shipped_encoder_is_small_frozen_and_known() -> None:
    encoder = RadarEncoder.shipped()
    assert encoder.digest == RadarEncoder.shipped().digest
    assert sum(w.numel() for w in encoder.parameters()) * 4 < 2_000_000
    assert not any(weight.requires_grad for weight in encoder.parameters())
    assert encoder.notes["objective"] == "contrast"
    assert encoder.notes["accuracy"] > 0.3  # by chance one in 63


@pytest.mark.parametrize("objective", ["lag", "contrast"])
def test_fit_is_the_same_for_a_seed(objective: str, storms: Catalog) -> None:
    before = torch.random.get_rng_state()
    one = RadarEncoder.fit(storms, objective=objective, **QUICK)
    torch.rand(3)
    two = RadarEncoder.fit(storms, objective=objective, **QUICK)
    other = RadarEncoder.fit(storms, objective=objective, seed=1, **QUICK)
    assert one.digest == two.digest != other.digest
    assert one.notes == two.notes
    assert one.notes["objective"] == objective
    torch.random.set_rng_state(before)


def test_fit_learns_the_time_between_frames(storms: Catalog) -> None:
    options = {"steps": 150, "batch_size": 16, "patch": 64, "progress": False}
    encoder = RadarEncoder.fit(storms, objective="lag", **options)
    assert encoder.notes["loss"] < 1.75  # ln 6 = 1.79 for one who knows nothing
    assert encoder.variables == ("vil",)


def test_fit_learns_what_belongs_together(storms: Catalog) -> None:
    options = {"steps": 100, "batch_size": 8, "patch": 48, "progress": False}
    encoder = RadarEncoder.fit(storms, **options)
    assert encoder.notes["accuracy"] > 2 / 15  # twice as often as by chance


def test_fit_scores_on_validation(storms: Catalog) -> None:
    encoder = RadarEncoder.fit(storms[:2], validation=storms[2:], **QUICK)
    assert encoder.notes["scored_on"] == "validation"
    assert encoder.notes["events"] == 2


def test_fit_ends_in_time(storms: Catalog) -> None:
    options = {**QUICK, "steps": 10**6}
    encoder = RadarEncoder.fit(storms, time_limit=0.5, **options)
    assert 0 < encoder.notes["steps"] < 10**6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "blur"}, "wanted 'lag' or 'contrast'"),
        ({"steps": 0}, "steps is 0"),
        ({"patch": 16}, "patch is 16, wanted a whole number, 32 or more"),
        ({"batch_size": 1.5}, "batch_size is 1.5"),
        ({"time_limit": -1}, "time_limit is -1"),
        ({"patch": 128}, "no event holds two frames"),
        ({"patch": 128, "target": "vil"}, "no event holds two frames of vil"),
        ({"target": "rain_rate"}, "holds vil, wanted rain_rate; name another"),
        ({"device": "foo"}, "device 'foo' is not on this machine"),
    ],
)
def test_bad_arguments_of_fit(options, message: str, storms: Catalog) -> None:
    with pytest.raises((ValueError, CatalogError), match=message):
        RadarEncoder.fit(storms, **{**QUICK, **options})


def test_fit_wants_a_catalog_with_rain(storms: Catalog) -> None:
    with pytest.raises(TypeError, match="got a list, wanted a Catalog"):
        RadarEncoder.fit(list(storms), **QUICK)
    dry = 0 * storms[0].to_dataset()[["vil"]]
    dry["vil"].attrs = storms[0]["vil"].attrs
    with pytest.raises(CatalogError, match="no patch with rain"):
        RadarEncoder.fit(Catalog.from_xarray(dry), **QUICK)


def test_pairs_are_as_far_apart_as_their_class_says(storms: Catalog) -> None:
    event = storms[0]
    frames = event.to_dataset()[["vil"]]
    # of every frame the mean tells its number
    frames["vil"] = frames["vil"] * 0 + 12.0
    frames["vil"].attrs = event["vil"].attrs
    ramp = 1.05 ** np.arange(frames.sizes["time"])[:, None, None]
    frames["vil"] = (frames["vil"] * ramp).assign_attrs(event["vil"].attrs)
    source = PairSource(Catalog.from_xarray(frames), None, 32, 0)
    pairs = source.batch(64)
    step = 38.9 * np.log(1.05) / 255  # of the VIL code
    apart = (pairs.after - pairs.before).mean((1, 2)) / step
    assert_close(apart.round(), pairs.lag.float() + 1, atol=0.6, rtol=0)
    assert set(pairs.lag.tolist()) == set(range(6))


def test_missing_pixels_never_make_a_pair_nan(storms: Catalog) -> None:
    holes = storms[0].to_dataset()[["vil"]]
    holes["vil"] = holes["vil"].where(holes.x > holes.x[4])
    source = PairSource(Catalog.from_xarray(holes), None, 48, 0)
    pairs = source.batch(32)
    assert bool(pairs.before.isfinite().all())
    assert bool(pairs.after.isfinite().all())


def test_contrast_is_that_of_simclr() -> None:
    torch.manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(6, 4), dim=1)
    rows = []
    for i in range(6):
        alike = [float(torch.exp(z[i] @ z[k] / 0.2)) for k in range(6)]
        partner = alike[(i + 3) % 6]
        rows.append(-np.log(partner / (sum(alike) - alike[i])))
    loss = torch.nn.functional.cross_entropy(*compared(z, 0.2))
    assert loss.item() == pytest.approx(np.mean(rows), rel=1e-5)


def test_the_model_card_names_the_weights_that_ship() -> None:
    card = (Path(__file__).parents[2] / "docs" / "encoder.md").read_text()
    encoder = RadarEncoder.shipped()
    assert encoder.digest in card
    assert f"{sum(w.numel() for w in encoder.parameters()):,}" in card
    assert f"{encoder.notes['accuracy']:.0%}".replace("%", " %") in card
