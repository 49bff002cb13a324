"""SplitMix: the published sequence, uniform enough, and a satisfied Rng port."""

from statistics import mean, pvariance

import pytest

from twins import BOTH, both


@pytest.fixture(params=both("fastcore.sim.rng"), ids=BOTH)
def rng(request):
    return request.param.SplitMix(1234567)


def test_published_sequence(rng):
    assert [rng.word() for _ in range(5)] == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
        16408922859458223821]


def test_state_can_be_saved(rng):
    rng.word()
    state = rng.state
    first = [rng.random() for _ in range(3)]
    rng.state = state
    assert [rng.random() for _ in range(3)] == first


def test_distributions(rng):
    uniform = [rng.random() for _ in range(20_000)]
    assert min(uniform) >= 0
    assert max(uniform) < 1
    assert mean(uniform) == pytest.approx(0.5, abs=0.01)
    waits = [rng.exponential() for _ in range(20_000)]
    assert mean(waits) == pytest.approx(1, abs=0.03)
    assert pvariance(waits) == pytest.approx(1, abs=0.1)
    normal = [rng.normal() for _ in range(20_000)]
    assert mean(normal) == pytest.approx(0, abs=0.03)
    assert pvariance(normal) == pytest.approx(1, abs=0.05)
    assert {rng.below(6) for _ in range(200)} == set(range(6))
    assert rng.below(0) == 0


def test_the_rng_port(rng):
    assert {rng.randrange(5, 8) for _ in range(100)} == {5, 6, 7}
    assert all(0 <= rng.getrandbits(70) < 1 << 70 for _ in range(50))
    assert any(rng.getrandbits(70) >> 64 for _ in range(50))
