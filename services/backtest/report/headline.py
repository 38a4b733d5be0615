"""The outcome in words, computed from the numbers and honest where retraining did not help."""

from __future__ import annotations

from collections import Counter

from services.backtest.report.coverage import coverage
from services.backtest.report.curves import total
from services.backtest.report.figures import counted, listed, sentence, whole
from services.backtest.report.measures import Measure, measure_of
from services.backtest.report.policies import LEFT_ALONE, best, left_alone, main_policy, phrase, rivals, trivial
from services.backtest.report.stories import Chronicle
from services.backtest.result import BacktestResult, PolicyResult
from shared.domain.quality import MILLION


def headline(result: BacktestResult) -> str:
    """The first sentence: what the main policy was worth against leaving the model alone."""
    measure, main, alone = measure_of(result.task), main_policy(result), left_alone(result)
    if not main.quality.n:
        return "No labelled records came after the initial ones, so no policy can be judged."
    if alone is None or not alone.quality.n:
        return _by_itself(main, measure)
    return _against_alone(result, main, alone, measure)


def _by_itself(main: PolicyResult, measure: Measure) -> str:
    """There is no untouched model to compare with."""
    if main.name in LEFT_ALONE:
        return f"Left alone, the model {_was(main, measure)}."
    told = _was(main, measure) if trivial(main) else _kept(main, measure)
    return f"{sentence(phrase(main.name))} {told}."


def _against_alone(result: BacktestResult, main: PolicyResult, alone: PolicyResult, measure: Measure) -> str:
    subject = sentence(phrase(main.name))
    beaten = _none_beats(result, alone, measure)
    if measure.same(main.quality, alone.quality) and not (beaten and rivals(result)):
        return f"{subject} made no difference: with it and without, the model {_was(main, measure)}."
    if beaten:
        reached = f"{phrase(main.name)} {_got(main, measure)}"
        return f"No policy beat {phrase(alone.name)}: it {_was(alone, measure)}; {reached}."
    if measure.gain(main.quality, alone.quality) < 0:
        return f"{subject} did not help: it {_was(main, measure)}; {phrase(alone.name)} {_got(alone, measure)}."
    return f"{subject} {_kept(main, measure)}; {_left(alone, measure)}."


def support(result: BacktestResult) -> list[str]:
    """The sentences below the first: what it cost, the best rival, a trivial answer that did better, and which records
    no figure counts."""
    main = main_policy(result)
    if not main.quality.n:
        return coverage(result)
    if trivial(main):
        return ["No policy that uses a model was run, so there is nothing to compare it with.", *coverage(result)]
    return [*_compared(result, main, measure_of(result.task)), *coverage(result)]


def _compared(result: BacktestResult, main: PolicyResult, measure: Measure) -> list[str]:
    rival = best(rivals(result), measure)
    cost = _cost(result, main, measure)
    told = [f"{cost}; {_against(rival, main, measure)}." if rival else f"{cost}."]
    if not left_alone(result) and not rival:
        told.append("No other policy that uses a model was run, so there is nothing to compare it with.")
    lazy = best([policy for policy in result.policies if trivial(policy)], measure)
    if lazy and measure.gain(lazy.quality, main.quality) >= 0:
        told.append(_beaten_by_trivial(lazy, measure))
    return told


def _cost(result: BacktestResult, main: PolicyResult, measure: Measure) -> str:
    """Trainings of the main policy; it is "it" only where the headline speaks of it first and well."""
    alone = left_alone(result)
    helped = alone is None or measure.gain(main.quality, alone.quality) > 0
    subject = "It" if helped else sentence(phrase(main.name))
    trainings = counted(main.retrainings, "training") if main.retrainings else "no training"
    probes = f", and {counted(main.probes, 'probe')} (throw-away fits)" if main.probes else ""
    return f"{subject} took {trainings} after the first one{probes}"


def _none_beats(result: BacktestResult, alone: PolicyResult, measure: Measure) -> bool:
    others = [main_policy(result), *rivals(result)]
    return not any(measure.gain(policy.quality, alone.quality) > 0 for policy in others if policy.quality.n)


def _against(rival: PolicyResult, main: PolicyResult, measure: Measure) -> str:
    better = measure.gain(rival.quality, main.quality) > 0 and not measure.same(rival.quality, main.quality)
    verb = "did better with" if better else "reached"
    probed = main.probes or rival.probes
    took = counted(rival.retrainings, "training") if probed else whole(rival.retrainings)
    probes = f", {counted(rival.probes, 'probe')}" if rival.probes else ""
    return f"{phrase(rival.name)} took {took}{probes} and {verb} {_value(rival, measure)}"


def _beaten_by_trivial(lazy: PolicyResult, measure: Measure) -> str:
    return (
        f"{sentence(phrase(lazy.name))} needs no model and did as well or better ({_value(lazy, measure)}): "
        "on this stream the model does not earn its keep."
    )


def _value(policy: PolicyResult, measure: Measure) -> str:
    value = measure.text(measure.of(policy.quality))
    return value if measure.higher_is_better else f"an error of {value}"


def _kept(policy: PolicyResult, measure: Measure) -> str:
    value = measure.text(measure.of(policy.quality))
    if measure.higher_is_better:
        return f"kept the model right in {value} of cases"
    return f"kept the average error at {value}"


def _left(alone: PolicyResult, measure: Measure) -> str:
    value = measure.text(measure.of(alone.quality))
    if measure.higher_is_better:
        return f"left alone, it would have been right in {value}"
    return f"left alone, it would have been off by {value}"


def _was(policy: PolicyResult, measure: Measure) -> str:
    value = measure.text(measure.of(policy.quality))
    return f"was right in {value} of cases" if measure.higher_is_better else f"was off by {value} on average"


def _got(policy: PolicyResult, measure: Measure) -> str:
    return f"reached {_value(policy, measure)}" if measure.higher_is_better else f"had {_value(policy, measure)}"


def tiles(result: BacktestResult, told: Chronicle) -> list[tuple[str, str, str]]:
    """Key figures as (value, what it is, an aside)."""
    measure, main, alone = measure_of(result.task), main_policy(result), left_alone(result)
    counts = {"promoted": main.promotions, "refused": main.rejections, "rolled back": main.rollbacks}
    kept = ", ".join(f"{whole(count)} {what}" for what, count in counts.items() if count) or "none promoted"
    closed = Counter(episode.outcome for episode in told.episodes)
    shown = [
        (_score(main, measure), measure.noun, f"over {whole(main.quality.n)} labelled records"),
        (whole(main.retrainings), "trainings" if main.retrainings != 1 else "training", kept),
        (whole(len(told.episodes)), "drifts found", _outcomes(closed) or "none"),
    ]
    return [shown[0], _avoided(main, alone, measure), *shown[1:]] if alone and alone.quality.n else shown


def _score(policy: PolicyResult, measure: Measure) -> str:
    return measure.text(measure.of(policy.quality)) if policy.quality.n else "–"


def _avoided(main: PolicyResult, alone: PolicyResult, measure: Measure) -> tuple[str, str, str]:
    if not measure.higher_is_better:
        change = 1 - measure.of(main.quality) / (measure.of(alone.quality) or 1.0)
        return f"{abs(100 * change):.0f}\u00a0%", "less error" if change >= 0 else "more error", "than left alone"
    errors = (alone.quality.loss - main.quality.loss) // MILLION
    return whole(abs(errors)), "errors avoided" if errors >= 0 else "extra errors", "against leaving the model alone"


def _outcomes(closed: Counter[str]) -> str:
    words = {
        "unverified": "promoted without a comparison",
        "refused": "kept the old model",
        "rolled-back": "rolled back",
        "superseded": "answered elsewhere",
        "open": "still open",
    }
    return ", ".join(f"{count} {words.get(outcome, outcome)}" for outcome, count in closed.most_common())


def quality_finding(result: BacktestResult) -> str:
    """The chart's title: how the last third compares, where an untouched model has had time to age."""
    measure, main, alone = measure_of(result.task), main_policy(result), left_alone(result)
    since = result.initial + 2 * (result.records - result.initial) // 3
    ours = total(main.curve, since, result.records)
    theirs = total(alone.curve, since, result.records) if alone else ours
    if not ours.n or not theirs.n:
        return f"{sentence(measure.noun)} over time"
    value, other = measure.text(measure.of(ours)), measure.text(measure.of(theirs))
    if alone is None:
        return f"In the last third of the stream, {measure.noun} is {value}"
    if value == other:
        return f"In the last third of the stream, the {main.name} policy and the untouched model both stand at {value}"
    return f"In the last third of the stream, the {main.name} policy stands at {value}, the untouched model at {other}"


def evidence_finding(told: Chronicle) -> str:
    """How often the alarm line was reached, and by which kind of evidence."""
    if not told.episodes:
        return "The evidence never reached the alarm line"
    words = {
        "inputs": "from the inputs",
        "performance": "from labelled errors",
        "detector": "from the plug-in detector",
    }
    origins = Counter(episode.detected.origin for episode in told.episodes)
    parts = [f"{count} {words[origin]}" for origin, count in origins.most_common()]
    if len(origins) == 1:
        parts = [f"all {words[next(iter(origins))]}"]
    faded = f"; {counted(told.faded, 'suspicion')} faded without one" if told.faded else ""
    return f"{counted(len(told.episodes), 'alarm')}: {listed(parts)}{faded}"


def lanes_finding(told: Chronicle) -> str:
    """How the episodes ended, and how many data faults held retraining back."""
    outcomes = _outcomes(Counter(episode.outcome for episode in told.episodes))
    drifts = f"{counted(len(told.episodes), 'episode')}: {outcomes}" if told.episodes else "No drift episode"
    faults = counted(len(told.faults), "data fault")
    return f"{drifts}. {faults} kept out of training" if told.faults else drifts
