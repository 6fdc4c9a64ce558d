"""Recipes: `"unet+0.1*ssim"` as a value, and the objects it stands for."""

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from stormfusion.classical import CLASSICS, Untrained
from stormfusion.errors import RecipeError
from stormfusion.losses import LOSSES, Weighted, WeightedSum
from stormfusion.losses.weights import checked_weight, weight_text
from stormfusion.nn import NETWORKS, Network

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NUMBER = re.compile(r"[0-9]+\.?[0-9]*(?:e-?[0-9]+)?|\.[0-9]+(?:e-?[0-9]+)?")
_BARE_NUMBER = re.compile(r"[-+.0-9][.0-9]*(?:e[-.0-9]*)?|nan|inf")


@dataclass(frozen=True)
class Term:
    """
    A loss of a recipe.

    Parameters
    ----------
    name
        Its name in `stormfusion.losses.LOSSES`.
    weight
        Its weight, a finite number above zero. Without one a pixel term weighs 1,
        and a shaping term is balanced with the pixel terms.

    Raises
    ------
    RecipeError
        If the weight is anything else.

    Examples
    --------
    >>> str(Term("ssim", 0.1))
    '0.1*ssim'
    """

    name: str
    weight: float | None = None

    def __post_init__(self) -> None:
        if self.weight is not None:
            try:
                weight = checked_weight(self.name, self.weight)
            except ValueError as error:
                raise RecipeError(f"{error} in a term of a recipe") from error
            object.__setattr__(self, "weight", weight)

    def __str__(self) -> str:
        if self.weight is None:
            return self.name
        return f"{weight_text(self.weight)}*{self.name}"


@dataclass(frozen=True)
class Recipe:
    """
    What is trained, and on which loss, as a value with a name.

    The grammar is `network { "+" [weight "*"] term }`: lower-case names, blanks
    around `+` and `*` as you like, no parentheses and no keyword arguments. Who needs
    an argument passes objects, such as
    `Nowcaster(UNet(width=96), loss=MSE() + 0.1 * SSIM())`.

    `str(recipe)` is canonical: it reads back as an equal recipe, and is the name of
    the model in files, tables and figures. The terms stand as they were written. If
    no pixel term is named, `mse` is added before them.

    Parameters
    ----------
    network
        A name in `stormfusion.nn.NETWORKS` or in `stormfusion.classical.CLASSICS`.
    terms
        The losses, of different names.

    Raises
    ------
    RecipeError
        If a name is not known, a term is repeated, or a classic is given terms.

    Examples
    --------
    >>> recipe = Recipe.parse("unet + 0.1*ssim")
    >>> recipe
    Recipe(network='unet', terms=(Term(name='mse', ...), Term(name='ssim', weight=0.1)))
    >>> str(recipe)
    'unet+mse+0.1*ssim'
    >>> recipe.network_spec()
    UNet(width=32, depth=3, patch=2)
    >>> str(recipe.loss())
    'mse+0.1*ssim'
    >>> Recipe.parse("unet+mze")
    Traceback (most recent call last):
    stormfusion.errors.RecipeError: unknown loss 'mze' in recipe 'unet+mze'; did you
    mean 'mse'? (known losses: bmae, bmse, crps, ff_mae, ...)
    """

    network: str
    terms: tuple[Term, ...] = ()

    def __post_init__(self) -> None:
        _check(self.network, self.terms, quoted=repr(_join(self.network, self.terms)))
        terms = tuple(
            Term(term.name) if term.weight == 1.0 and _is_pixel(term) else term
            for term in self.terms
        )
        if self.network not in CLASSICS and not any(_is_pixel(term) for term in terms):
            terms = (Term("mse"), *terms)
            _check(self.network, terms, quoted=repr(_join(self.network, terms)))
        object.__setattr__(self, "terms", terms)

    @classmethod
    def parse(cls, text: str) -> "Recipe":
        """
        Read a recipe.

        Parameters
        ----------
        text
            Such as `"unet+ssim"`.

        Returns
        -------
        Recipe
            The recipe.

        Raises
        ------
        RecipeError
            If `text` is no recipe, whatever else it is. The message quotes it.

        Examples
        --------
        >>> str(Recipe.parse("resunet"))
        'resunet+mse'
        >>> str(Recipe.parse("persistence"))
        'persistence'
        """
        if not isinstance(text, str):
            raise RecipeError(
                f"a recipe is a string such as 'unet+mse', but got {text!r}; a network "
                f"or a loss goes into the Nowcaster itself"
            )
        _check_characters(text)
        network, *rest = (part.strip() for part in text.split("+"))
        if not network or not all(rest):
            raise RecipeError(
                f"a name is missing beside a '+' in recipe {text!r}; write a network, "
                f"and a loss after every '+', such as 'unet+mse'"
            )
        terms = tuple(_term(part, text) for part in rest)
        _check(network, terms, quoted=repr(text))
        return cls(network, terms)

    @property
    def is_classic(self) -> bool:
        """Whether it forecasts without training."""
        return self.network in CLASSICS

    def classic(self) -> Untrained:
        """
        Describe the nowcast without training, with its default options.

        Raises
        ------
        RecipeError
            If the recipe is of a network.

        Examples
        --------
        >>> Recipe.parse("persistence").classic()
        Persistence()
        """
        if not self.is_classic:
            raise RecipeError(f"{str(self)!r} is a network that is trained")
        return CLASSICS[self.network]()

    def network_spec(self) -> Network:
        """
        Describe the network, with its default sizes.

        Returns
        -------
        Network
            Such as `UNet()`.

        Raises
        ------
        RecipeError
            If the recipe is a classic.
        """
        if self.is_classic:
            raise RecipeError(f"{str(self)!r} is not trained and has no network")
        return NETWORKS[self.network]()

    def loss(self) -> WeightedSum:
        """
        Build the loss.

        Returns
        -------
        WeightedSum
            Such as `MSE() + 0.1 * SSIM()`.

        Raises
        ------
        RecipeError
            If the recipe is a classic.
        """
        if self.is_classic:
            raise RecipeError(f"{str(self)!r} is not trained and has no loss")
        return WeightedSum(
            tuple(Weighted(LOSSES[term.name](), term.weight) for term in self.terms)
        )

    def __str__(self) -> str:
        return _join(self.network, self.terms)


def _join(network: str, terms: Iterable[Term]) -> str:
    return "+".join([str(network), *(str(term) for term in terms)])


def _is_pixel(term: Term) -> bool:
    return LOSSES[term.name].kind == "pixel"


def _check_characters(text: str) -> None:
    if not text.strip():
        raise RecipeError(
            f"the recipe {text!r} is empty; name a network, such as 'unet' "
            f"(known networks: {_listed(_networks())})"
        )
    if any(character in text for character in "()[]{}=,"):
        raise RecipeError(
            f"a recipe has no parentheses and no keyword arguments, but got {text!r}; "
            f"pass objects instead, such as "
            f"Nowcaster(UNet(width=96), loss=MSE() + 0.1 * SSIM())"
        )
    if text != text.lower():
        raise RecipeError(
            f"a recipe is written in lower case, but got {text!r}; "
            f"write {text.lower()!r}"
        )


def _term(part: str, text: str) -> Term:
    left, star, right = part.partition("*")
    weight, name = (left.strip(), right.strip()) if star else (None, part)
    if not name or weight == "" or "*" in name:
        raise RecipeError(
            f"expected one weight and one name around '*', but got {part!r} in recipe "
            f"{text!r}; write it like '0.1*ssim'"
        )
    if weight is None and _BARE_NUMBER.fullmatch(name) and name not in LOSSES:
        raise RecipeError(
            f"the number {name!r} in recipe {text!r} weighs nothing; write '*' and a "
            f"loss after it, such as '0.1*ssim', and no '+' in an exponent"
        )
    _check_name(name, repr(text))
    if weight is None:
        return Term(name)
    number = float(weight) if _NUMBER.fullmatch(weight) else math.nan
    if not 0 < number < math.inf:
        raise RecipeError(
            f"the weight of {name!r} must be a finite number above zero, but got "
            f"{weight!r} in recipe {text!r}; write it like '0.1*{name}'"
        )
    return Term(name, number)


def _check_name(name: str, quoted: str) -> None:
    if not _NAME.fullmatch(name):
        raise RecipeError(
            f"{name!r} in recipe {quoted} is not a name; names are lower-case letters, "
            f"then letters, digits or '_', and stand between '+' signs"
        )


def _check(network: str, terms: tuple[Term, ...], *, quoted: str) -> None:
    _check_name(network, quoted)
    if network not in _networks():
        if network in LOSSES:
            raise RecipeError(
                f"{network!r} in recipe {quoted} is a loss, but a recipe starts with a "
                f"network; write 'unet+{network}' (known networks: "
                f"{_listed(_networks())})"
            )
        _raise_unknown("network", network, _networks(), quoted)
    if network in CLASSICS and terms:
        raise RecipeError(
            f"{network!r} is not trained, so it takes no loss, but got {quoted}; "
            f"write {network!r}"
        )
    names = [term.name for term in terms]
    for name in names:
        _check_name(name, quoted)
        if name not in LOSSES and name in _networks():
            raise RecipeError(
                f"{name!r} in recipe {quoted} is a network, and a recipe names one, at "
                f"its beginning; write losses after it, such as '{network}+mse' (known "
                f"losses: {_listed(LOSSES)})"
            )
        if name not in LOSSES:
            _raise_unknown("loss", name, LOSSES, quoted)
        if LOSSES[name].name != name:
            raise RecipeError(
                f"the loss {name!r} in recipe {quoted} calls itself "
                f"{LOSSES[name].name!r}; enter it in LOSSES under that name"
            )
        if names.count(name) > 1:
            raise RecipeError(
                f"{name!r} stands {names.count(name)} times in recipe {quoted}; "
                f"write it once, with the weight of all"
            )


def _networks() -> tuple[str, ...]:
    return (*NETWORKS, *CLASSICS)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _raise_unknown(what: str, name: str, known: Iterable[str], quoted: str) -> NoReturn:
    # Without a cutoff: even a far guess shows what a name looks like.
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    plural = {"network": "networks", "loss": "losses"}[what]
    raise RecipeError(
        f"unknown {what} {name!r} in recipe {quoted}; {guess}"
        f"(known {plural}: {_listed(known)})"
    )
