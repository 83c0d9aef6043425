"""Which networks `python -m zfutils scores` trains, and what it says of each."""

from collections.abc import Sequence

from zfutils.runtime.parallel import cores
from zfutils.runtime.ranks import agreed
from zfutils.study import (
    depth_networks,
    faulty_networks,
    filter_networks,
    kept_scores,
    pooling_networks,
    target_networks,
)
from zfutils.study.followed import Followed, followed_name
from zfutils.study.kept_scores import Wanted
from zfutils.study.networks import Networks
from zfutils.training.trainer import TrainingFailed

TRIALS = "trial-"  # short trainings begin so; chapter 2 reads them from their weights


def chosen(study: Networks, which: Sequence[str] = (), seeds: Sequence[int] | None = None) -> list[Wanted]:
    """The networks that are named, or all whose scores the edition's chapters need.

    Args:
        study: the edition.
        which: names of networks, "small" for all rows of Table 3, "scratch" for all networks from scratch,
            "fine-tuned" likewise, "settings" for all that was tried of the recipe, "filters" for all
            whose filters chapters 1 and 2 look at, "depth" for all that chapter 8 compares by the number of
            pictures, "pooling" for all that chapter 12 compares, "diagnosis" for chapter 13's on digits,
            "diagnosis-pictures" for its ZFNets, or a row's name; default everything but the short trials.
        seeds: of each; default the edition's own.

    Raises:
        ValueError: a name that the edition does not have; names those it has.
    """
    main, small, settings, filters = main_networks(study, seeds), [], [], []
    scratch, tuned, depth, pooling, pictured = [], [], [], [], []
    sick = faulty_networks.every(study, seeds)
    if study.profile.small is not None:
        small = kept_scores.every(study.small, seeds)
        settings = kept_scores.every(study.settings, seeds)
        filters = filter_networks.every(study, seeds)
        depth = depth_networks.every(study, seeds)
        pooling = pooling_networks.every(study, seeds)
        pictured = faulty_networks.pictured(study, seeds)
    if study.profile.transfer is not None and small:
        scratch = [one for s in seeds or (0,) for one in target_networks.from_scratch(study.transferred, s)]
        tuned = [one for s in seeds or (0,) for one in target_networks.fine_tuned(study.transferred, s)]
    groups = {"small": small, "scratch": scratch, "fine-tuned": tuned}
    groups |= {"settings": settings, "filters": filters, "depth": depth, "pooling": pooling}
    groups |= {"diagnosis": sick, "diagnosis-pictures": pictured}
    apart = [*settings, *filters, *depth, *pooling, *sick, *pictured, *scratch, *tuned]
    for one in (*main, *small, *apart):
        groups.setdefault(one.name, []).append(one)
    if unknown := [name for name in which if not groups.get(name)]:
        there = ", ".join(map(repr, (name for name, own in groups.items() if own)))
        raise ValueError(f"the edition {study.edition} has no network or row {unknown[0]!r}; it has {there}")
    if which:
        found = [one for name in which for one in groups[name]]
        return list({(one.study.folder, one.name, one.seed): one for one in found}.values())
    return [one for one in main if not one.name.startswith(TRIALS)] + small + apart


def main_networks(study: Networks, seeds: Sequence[int] | None = None) -> list[Wanted]:
    """The edition's own networks, of which that which chapter 4 follows keeps its curves.

    Args:
        study: the edition.
        seeds: of each; default the edition's own.
    """
    name, every = followed_name(study), kept_scores.every(study, seeds)
    return [Followed(study, name, one.seed) if one.name == name else one for one in every]


def lacking(wanted: Sequence[Wanted]) -> list[Wanted]:
    """Those networks of which no scores are published."""
    lacks = agreed([one.kept() is None for one in wanted])
    return [one for one, missing in zip(wanted, lacks, strict=True) if missing]


def earn(wanted: Sequence[Wanted]) -> None:
    """Train what is missing and publish its scores, with a line for each network that has ended.

    Args:
        wanted: as `chosen` gives them.

    Raises:
        TrainingFailed: trainings that diverged or died, once all others have ended; names them.
    """
    failed: list[str] = []
    missing = lacking(wanted)
    print(f"{len(wanted) - len(missing)} of {len(wanted)} networks are there; {cores()} cores", flush=True)
    for number, (one, outcome) in enumerate(kept_scores.publish(missing), len(wanted) - len(missing) + 1):
        if isinstance(outcome, TrainingFailed):
            failed.append(f"{one.name} seed {one.seed}")
            print(f"{number} of {len(wanted)}: {outcome}", flush=True)
            continue
        answers = outcome.answers[min(outcome.answers)]
        print(
            f"{number} of {len(wanted)}: {one.published.name}  error {answers.error():.1%}  training error "
            f"{outcome.training_error:.1%} ({outcome.ended.why})  {outcome.seconds:,.0f} s",
            flush=True,
        )
    if failed:
        raise TrainingFailed(f"not trained to the end: {'; '.join(failed)}; the reasons stand above")
