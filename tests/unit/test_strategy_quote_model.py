"""The two textbook makers against their formulas in plain math, and how they answer to risk."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hftbot.errors import ConfigError
from hftbot.strategy.quote_model import QuoteModel

RISKS = st.floats(1e-3, 10.0)
DECAYS = st.floats(1e-2, 100.0)
RATES = st.floats(1e-3, 100.0)
VOLATILITIES = st.floats(0.0, 50.0)
WIDE = {"least_bps": 0.0, "most_bps": 1e12}


@given(RISKS, DECAYS, RATES, VOLATILITIES)
def test_glft_is_its_formula(risk: float, decay: float, rate: float, sigma: float) -> None:
    exponent = (decay / risk + 1.0) * math.log1p(risk / decay)
    skew = sigma * math.sqrt(risk / (2.0 * rate * decay) * math.exp(exponent))
    half = math.log1p(risk / decay) / risk + 0.5 * skew
    found = QuoteModel("glft", risk, **WIDE).widths(sigma, rate, decay)
    assert found.half_bps == pytest.approx(half, rel=1e-9)
    assert found.skew_bps == pytest.approx(skew, rel=1e-9)


@given(RISKS, DECAYS, RATES, VOLATILITIES, st.floats(0.01, 100.0))
def test_avellaneda_is_its_formula(risk: float, decay: float, rate: float, sigma: float,
                                   horizon_s: float) -> None:
    skew = risk * sigma**2 * horizon_s
    spread = skew + 2.0 / risk * math.log1p(risk / decay)
    found = QuoteModel("avellaneda", risk, horizon_s, **WIDE).widths(sigma, rate, decay)
    assert found.half_bps == pytest.approx(spread / 2, rel=1e-9)
    assert found.skew_bps == pytest.approx(skew, rel=1e-9)


@pytest.mark.parametrize("kind", ["glft", "avellaneda"])
@given(RISKS, DECAYS, RATES, VOLATILITIES, st.floats(1.0, 3.0))
def test_more_volatility_and_more_risk_lean_further(kind: str, risk: float, decay: float,
                                                    rate: float, sigma: float,
                                                    more: float) -> None:
    model = QuoteModel(kind, risk, **WIDE)
    here = model.widths(sigma, rate, decay)
    wilder = model.widths(sigma * more, rate, decay)
    warier = QuoteModel(kind, risk * more, **WIDE).widths(sigma, rate, decay)
    slack = 1.0 - 1e-9
    assert wilder.skew_bps >= here.skew_bps * slack
    assert wilder.half_bps >= here.half_bps * slack
    assert warier.skew_bps >= here.skew_bps * slack


def test_nearly_without_risk_half_the_spread_is_the_usual_depth() -> None:
    for kind in ("glft", "avellaneda"):
        found = QuoteModel(kind, 1e-12, **WIDE).widths(1.0, 1.0, 0.5)
        assert found.half_bps == pytest.approx(2.0, rel=1e-4)
        assert found.skew_bps < 1e-4


def test_the_half_spread_stays_within_its_bounds() -> None:
    model = QuoteModel("glft", 0.05, 5.0, 2.5, 10.0)
    assert model.widths(0.0, 1.0, 100.0).half_bps == 2.5
    assert model.widths(500.0, 1.0, 1.0) == (10.0, 10.0)


@pytest.mark.parametrize(("told", "words"), [
    (("glft", 0.05, 5.0, 26.0, 20.0), "MAKER_HALF_SPREAD_MAX_BPS: 20 is below"),
    (("glft", 0.0), "must be positive"), (("avellaneda", 1.0, 0.0), "must be positive"),
    (("other",), "neither glft nor avellaneda")])
def test_what_cannot_be_meant_is_refused(told: tuple[object, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        QuoteModel(*told)  # type: ignore[arg-type]
