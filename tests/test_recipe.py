import re
from dataclasses import FrozenInstanceError, dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stormfusion.errors import RecipeError
from stormfusion.losses import GDL, LOSSES, MAE, MSE, SSIM
from stormfusion.nn import NETWORKS, Conv3D, ResUNet, UNet
from stormfusion.recipe import CLASSICS, Recipe, Term


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("unet", "unet+mse"),
        ("unet+mse", "unet+mse"),
        ("unet+ssim", "unet+mse+ssim"),
        ("unet+gdl+0.1*ssim", "unet+mse+gdl+0.1*ssim"),
        ("resunet+ssim+mae", "resunet+ssim+mae"),
        ("conv3d+mse+mae", "conv3d+mse+mae"),
        ("  unet +\tmse+ 0.10 * ssim ", "unet+mse+0.1*ssim"),
        ("unet+1*mse", "unet+mse"),
        ("unet+1.0*ssim", "unet+mse+1*ssim"),
        ("unet+2*mse", "unet+2*mse"),
        ("unet+.5*mse", "unet+0.5*mse"),
        ("unet+5.*mse", "unet+5*mse"),
        ("unet+1e16*mse", "unet+10000000000000000*mse"),
        ("unet+1e-7*ssim", "unet+mse+0.0000001*ssim"),
        ("unet+0.30000000000000004*mae", "unet+0.30000000000000004*mae"),
        ("persistence", "persistence"),
    ],
)
def test_the_canonical_text(text: str, canonical: str) -> None:
    recipe = Recipe.parse(text)
    assert str(recipe) == canonical
    assert Recipe.parse(canonical) == recipe
    assert str(Recipe.parse(canonical)) == canonical


@pytest.mark.parametrize(
    ("text", "help_"),
    [
        ("", "is empty; name a network, such as 'unet'"),
        ("   ", "is empty"),
        ("unet+", "a name is missing beside a '+'"),
        ("+mse", "a name is missing beside a '+'"),
        ("unet++mse", "a name is missing beside a '+'"),
        ("UNet+mse", "lower case, but got 'UNet+mse'; write 'unet+mse'"),
        ("unet+MSE", "write 'unet+mse'"),
        ("un et", "'un et' in recipe 'un et' is not a name"),
        ("unet+m se", "'m se' in recipe 'unet+m se' is not a name"),
        ("unet-mse", "'unet-mse' in recipe 'unet-mse' is not a name"),
        ("_unet", "is not a name"),
        ("unet\u0661", "is not a name"),
        ("unte", "unknown network 'unte' in recipe 'unte'; did you mean 'unet'?"),
        (
            "xyz",
            "(known networks: conv3d, convlstm, extrapolation, mim, motionrnn, ",
        ),
        ("unet+mze", "unknown loss 'mze' in recipe 'unet+mze'; did you mean 'mse'?"),
        ("unet+q", "(known losses: bmae, bmse, crps, ff_mae, "),
        ("mse", "'mse' in recipe 'mse' is a loss, but a recipe starts with a network"),
        (
            "unet+unet",
            "'unet' in recipe 'unet+unet' is a network, and a recipe names one",
        ),
        ("unet+mse+mse", "'mse' stands 2 times in recipe 'unet+mse+mse'"),
        ("unet+mse+0.1*mse", "write it once, with the weight of all"),
        ("unet+0*mse", "weight of 'mse' must be a finite number above zero"),
        ("unet+-1*mse", "but got '-1' in recipe 'unet+-1*mse'"),
        ("unet+inf*mse", "but got 'inf'"),
        ("unet+nan*mse", "but got 'nan'"),
        ("unet+1e999*mse", "but got '1e999'"),
        ("unet+1e-999*mse", "but got '1e-999'"),
        ("unet+1.2.3*mse", "but got '1.2.3' in recipe 'unet+1.2.3*mse'"),
        ("unet+1_0*mse", "but got '1_0'"),
        ("unet+\u0661*mse", "write it like '0.1*mse'"),
        ("unet+1 0*mse", "but got '1 0'"),
        ("unet+mse*0.1", "'0.1' in recipe 'unet+mse*0.1' is not a name"),
        ("unet+*mse", "expected one weight and one name around '*', but got '*mse'"),
        ("unet+0.1*", "expected one weight and one name around '*'"),
        ("unet+1*2*mse", "expected one weight and one name around '*'"),
        ("0.5*unet+mse", "'0.5*unet' in recipe '0.5*unet+mse' is not a name"),
        ("unet+0.1", "the number '0.1' in recipe 'unet+0.1' weighs nothing"),
        ("unet+1e+16*mse", "no '+' in an exponent"),
        (
            "unet(width=96)+mse",
            "pass objects instead, such as Nowcaster(UNet(width=96)",
        ),
        ("unet+gdl(2)", "no parentheses and no keyword arguments"),
        ("unet,mse", "no parentheses and no keyword arguments"),
        ("unet=mse", "no parentheses and no keyword arguments"),
        ("persistence+mse", "'persistence' is not trained, so it takes no loss"),
    ],
)
def test_what_is_no_recipe(text: str, help_: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(help_)) as caught:
        Recipe.parse(text)
    assert repr(text) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("thing", [None, 3, b"unet", ["unet"], UNet()])
def test_only_a_string_can_be_read(thing) -> None:
    with pytest.raises(
        (RecipeError, TypeError), match=re.escape(repr(thing).partition("(")[0])
    ):
        Recipe.parse(thing)


def test_a_recipe_is_a_value() -> None:
    recipe = Recipe("unet", (Term("mse"), Term("ssim", 0.1)))
    assert recipe == Recipe.parse("unet+mse+0.1*ssim")
    assert hash(recipe) == hash(Recipe.parse("unet+0.1*ssim"))
    assert recipe != Recipe.parse("unet+mse+0.2*ssim")
    assert recipe != Recipe.parse("unet+0.1*ssim+mse")
    with pytest.raises(FrozenInstanceError):
        recipe.network = "conv3d"


def test_the_constructor_checks_and_completes_as_parse_does() -> None:
    assert Recipe("unet") == Recipe.parse("unet")
    assert Recipe("unet", (Term("mse", 1.0),)) == Recipe.parse("unet")
    for network, terms, help_ in [
        ("unte", (), "unknown network 'unte' in recipe 'unte'"),
        ("unet", (Term("mze"),), "unknown loss 'mze' in recipe 'unet+mze'"),
        ("unet", (Term("mse"), Term("mse", 0.5)), "in recipe 'unet+mse+0.5*mse'"),
        ("unet", (Term("m se"),), "'m se' in recipe 'unet+m se' is not a name"),
        ("persistence", (Term("mse"),), "'persistence' is not trained"),
    ]:
        with pytest.raises(RecipeError, match=re.escape(help_)):
            Recipe(network, terms)
    for weight in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(
            RecipeError, match="weight of 'mse' must be a finite number"
        ):
            Term("mse", weight)


def test_what_a_recipe_stands_for() -> None:
    recipe = Recipe.parse("resunet+mae+0.5*ssim+gdl")
    assert recipe.network_spec() == ResUNet()
    assert recipe.loss() == MAE() + 0.5 * SSIM() + GDL()
    assert recipe.loss().weights == {"mae": 1.0, "ssim": 0.5, "gdl": None}
    assert Recipe.parse("unet").loss() == 1.0 * MSE()
    assert Recipe.parse("conv3d").network_spec() == Conv3D()
    assert not recipe.is_classic
    for name, make in NETWORKS.items():
        assert Recipe.parse(name).network_spec() == make()


def test_a_classic_has_neither_network_nor_loss() -> None:
    recipe = Recipe.parse("persistence")
    assert recipe.is_classic
    assert recipe.terms == ()
    with pytest.raises(RecipeError, match=r"'persistence' .* has no network"):
        recipe.network_spec()
    with pytest.raises(RecipeError, match=r"'persistence' .* has no loss"):
        recipe.loss()


@dataclass(frozen=True)
class Mine(MAE):
    name = "mine"


def test_a_loss_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError, match="unknown loss 'mine'"):
        Recipe.parse("unet+mine")
    monkeypatch.setitem(LOSSES, "mine", Mine)
    recipe = Recipe.parse("unet+2*mine")
    assert str(recipe) == "unet+2*mine"  # a pixel loss: no mse is added
    assert recipe.loss() == 2.0 * Mine()
    monkeypatch.setitem(LOSSES, "yours", Mine)
    with pytest.raises(RecipeError, match=r"'yours' .* calls itself 'mine'"):
        Recipe.parse("unet+yours")


WEIGHTS = st.none() | st.floats(min_value=0, exclude_min=True, allow_infinity=False)
TERMS = st.lists(
    st.tuples(st.sampled_from(sorted(LOSSES)), WEIGHTS), unique_by=lambda term: term[0]
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(NETWORKS)), TERMS)
@example("unet", [("mse", 1e16)])
@example("unet", [("ssim", 5e-324), ("mae", 1.7976931348623157e308)])
def test_a_recipe_reads_back_as_itself(network, terms) -> None:
    recipe = Recipe(network, tuple(Term(name, weight) for name, weight in terms))
    assert Recipe.parse(str(recipe)) == recipe
    assert str(Recipe.parse(str(recipe))) == str(recipe)
    assert recipe.loss().weights == {
        term.name: term.weight
        if term.weight is not None or LOSSES[term.name].kind == "shaping"
        else 1.0
        for term in recipe.terms
    }


PIECES = st.sampled_from(
    [*NETWORKS, *LOSSES, *CLASSICS, "+", "*", " ", "0.1", "1e16", "-", "nan", "(", "e"]
)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30) | st.lists(PIECES, max_size=8).map("".join))
def test_any_text_parses_or_raises_a_recipe_error(text: str) -> None:
    try:
        recipe = Recipe.parse(text)
    except RecipeError:
        with pytest.raises(RecipeError, match=re.escape(repr(text))):
            Recipe.parse(text)
    else:
        assert Recipe.parse(str(recipe)) == recipe
