"""A small seeded generator (splitmix64): the same numbers compiled, interpreted and on PyPy."""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

COMPILED = cython.compiled


class SplitMix:
    """Seeded randomness from one 64-bit word of state, which may be saved and restored.

    Satisfies words.ports.Rng. No libm: the exponential is von Neumann's comparison method and the
    normal a sum of twelve uniforms, so that a seed gives the same market everywhere.
    """

    def __init__(self, seed: int = 1) -> None:
        self.mask = 0xFFFFFFFFFFFFFFFF
        self.gamma = 0x9E3779B97F4A7C15
        self.mix_a = 0xBF58476D1CE4E5B9
        self.mix_b = 0x94D049BB133111EB
        self.scale = 1.0 / (1 << 53)
        self.state = seed & 0xFFFFFFFFFFFFFFFF

    def word(self) -> int:
        """Next 64 random bits, unsigned."""
        self.state = (self.state + self.gamma) & self.mask
        z = self.state
        z = ((z ^ (z >> 30)) * self.mix_a) & self.mask
        z = ((z ^ (z >> 27)) * self.mix_b) & self.mask
        return z ^ (z >> 31)

    def random(self) -> float:
        """Uniform in [0, 1)."""
        z = self.word()
        return (z >> 11) * self.scale

    def below(self, limit: int) -> int:
        """Uniform whole number in [0, limit); 0 for a limit below 1."""
        if limit < 1:
            return 0
        return int(self.random() * limit)

    def exponential(self) -> float:
        """Exponential with mean 1."""
        whole = 0.0
        while True:
            first = self.random()
            last = first
            odd = 1
            while True:
                u = self.random()
                if u >= last:
                    break
                last = u
                odd = 1 - odd
            if odd == 1:
                return whole + first
            whole += 1.0

    def normal(self) -> float:
        """Standard normal, cut off at six."""
        total = 0.0
        for i in range(12):
            total += self.random()
        return total - 6.0

    def randrange(self, start: int, stop: int) -> int:
        """Uniform whole number in [start, stop)."""
        return start + self.below(stop - start)

    def getrandbits(self, bits: int) -> int:
        """Uniform whole number of that many bits."""
        value = 0
        have = 0
        while have < bits:
            value = (value << 32) | (int(self.word()) >> 32)
            have += 32
        return value >> (have - bits)
