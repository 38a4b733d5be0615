"""Which inputs moved when the losses alarmed first: told by the first epoch after the change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from services.drift_detection.inputs.verdict import FeatureEvidence
from services.drift_detection.state import DriftState, OpenEpisode, Unattributed
from shared.domain.profile import Profile
from shared.events.base import Event
from shared.events.drift_detection import DriftAttributed, FeatureDrift

Said = tuple[DriftState, tuple[Event, ...]]


def await_features(state: DriftState, episode: OpenEpisode) -> DriftState:
    """Keeps an alarm of the losses that could name no features."""
    if episode.origin == "inputs" or state.features:
        return state
    return replace(state, unattributed=Unattributed(episode.id, episode.since_row))


def attribute(state: DriftState, epoch: Profile, lanes: int) -> Said:
    """Completes the alarm by this epoch, which has been judged, if it lies after the change.

    One that the change falls into tells no more than a swap that it shows: rows from before blur the rest.
    """
    alarm = state.unattributed
    if alarm is None or epoch.last * lanes <= alarm.since_row:
        return state, ()
    blurred = epoch.first * lanes < alarm.since_row
    return (state, ()) if blurred and not state.warnings else complete(state)


def complete(state: DriftState) -> Said:
    """Completes the alarm by the features that are named now, if any are."""
    alarm = state.unattributed
    if alarm is None or not state.features:
        return state, ()
    said = DriftAttributed(
        pipeline=state.pipeline,
        episode=alarm.episode,
        generation=state.generation,
        row=state.row,
        label=state.label,
        features=tuple(features_of(state.features)),
        warnings=state.warnings,
    )
    return replace(state, unattributed=None), (said,)


def features_of(found: tuple[FeatureEvidence, ...]) -> Iterator[FeatureDrift]:
    """Named features as events tell of them."""
    for feature in found:
        effects = feature.effects
        yield FeatureDrift(
            name=feature.name,
            log_evidence=feature.log_evidence,
            direction=effects.direction,
            psi=effects.psi,
            ks=effects.ks,
            js=effects.js,
            wasserstein=effects.wasserstein,
            total_variation=effects.total_variation,
        )
