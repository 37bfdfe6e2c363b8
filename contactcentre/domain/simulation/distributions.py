"""How long things last: `exp:180`, `const:60`, `lognormal:180,0.8`, `uniform:60,300`, `never`."""

from dataclasses import dataclass
from math import exp, inf, isfinite, log
from random import Random

FORMS = "exp:MEAN, const:SECONDS, lognormal:MEAN,SIGMA, uniform:FROM,TO (seconds) or never"

_PARAMETERS = {"exp": 1, "const": 1, "lognormal": 2, "uniform": 2, "never": 0}


class NoDistribution(ValueError):
    """The text is none. It says which part and why."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"{text!r}: {why}; known are {FORMS}")


@dataclass(frozen=True, slots=True)
class Distribution:
    """A duration in seconds, drawn anew each time.

    exp: what comes without a memory, the one Erlang's formulas know. lognormal: what conversations look like (Brown et
    al., "Statistical analysis of a telephone call center", 2005); MEAN is its mean and SIGMA the standard deviation of
    its logarithm. never: longer than anything.
    """

    kind: str
    first: float = 0.0
    second: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Distribution":
        """Raises NoDistribution."""
        kind, _, rest = text.strip().partition(":")
        if kind not in _PARAMETERS:
            raise NoDistribution(text, f"{kind!r} is no distribution")
        words = rest.split(",") if rest else []
        if len(words) != _PARAMETERS[kind]:
            raise NoDistribution(text, f"{kind} takes {_PARAMETERS[kind]} numbers, found {len(words)}")
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            raise NoDistribution(text, "after the colon stand numbers") from None
        if any(not isfinite(number) or number < 0 for number in numbers):
            raise NoDistribution(text, "a number is not 0 or more")
        if kind in ("exp", "lognormal") and numbers[0] == 0:
            raise NoDistribution(text, "the mean is not above 0")
        if kind == "lognormal" and numbers[1] > 5:
            raise NoDistribution(text, "sigma is the deviation of the logarithm, at most 5 (0.8 is usual)")
        if kind == "uniform" and numbers[0] > numbers[1]:
            raise NoDistribution(text, "FROM is more than TO")
        return cls(kind, *numbers)

    @property
    def mean(self) -> float:
        """Seconds; infinity for never."""
        match self.kind:
            case "uniform":
                return (self.first + self.second) / 2
            case "never":
                return inf
            case _:
                return self.first

    def draw(self, random: Random) -> float:
        """Seconds."""
        match self.kind:
            case "exp":
                return random.expovariate(1 / self.first)
            case "lognormal":
                return exp(random.gauss(log(self.first) - self.second**2 / 2, self.second))
            case "uniform":
                return random.uniform(self.first, self.second)
            case "never":
                return inf
            case _:
                return self.first

    def __str__(self) -> str:
        numbers = (self.first, self.second)[: _PARAMETERS[self.kind]]
        return f"{self.kind}:{','.join(f'{number:g}' for number in numbers)}" if numbers else self.kind


def stream(seed: str) -> Random:
    """Random numbers, the same for the same seed."""
    return Random(seed)  # noqa: S311 - nothing secret is made of them


NEVER = Distribution("never")
AT_ONCE = Distribution("const", 0.0)
