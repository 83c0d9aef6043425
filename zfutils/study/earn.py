"""Which networks `python -m zfutils scores` trains, and what it says of each."""

from collections.abc import Sequence

from zfutils.runtime.parallel import cores
from zfutils.runtime.ranks import agreed
from zfutils.study import kept_scores, target_networks
from zfutils.study.cheating_networks import OfCheat
from zfutils.study.depth_networks import OfDepth
from zfutils.study.faulty_networks import OfFault, OfPictures
from zfutils.study.filter_networks import OfFilters
from zfutils.study.followed import Followed, followed_name
from zfutils.study.kept_scores import Wanted
from zfutils.study.networks import Networks
from zfutils.study.pooling_networks import OfPooling
from zfutils.training.trainer import TrainingFailed

TRIALS = "trial-"  # short trainings begin so; chapter 2 reads them from their weights


def chosen(study: Networks, which: Sequence[str] = (), seeds: Sequence[int] | None = None) -> list[Wanted]:
    """The networks that are named, or all whose scores the edition's chapters need.

    Args:
        study: the edition.
        which: names of networks, "small" for all rows of Table 3, "scratch" for all networks from scratch,
            "fine-tuned" likewise, "settings" for all that was tried of the recipe, "filters" for all
            whose filters chapters 1 and 2 look at, "depth" for all that chapter 8 compares by the number of
            pictures, "pooling" for all that chapter 12 compares, "cheats" for chapter 6's,
            "diagnosis" for chapter 13's on digits, "diagnosis-pictures" for its ZFNets, or a row's name;
            default everything but the short trials.
        seeds: of each; default the edition's own.

    Raises:
        ValueError: a name that the edition does not have; names those it has.
    """
    main = main_networks(study, seeds)
    groups: dict[str, list[Wanted]] = {
        "small": kept_scores.every(study.small, seeds) if study.profile.small else [],
        "settings": kept_scores.every(study.settings, seeds),
        "filters": kept_scores.every(study.filters, seeds, kind=OfFilters),
        "depth": kept_scores.every(study.depth, seeds, kind=OfDepth),
        "pooling": kept_scores.every(study.pooling, seeds, kind=OfPooling),
        "cheats": kept_scores.every(study.cheats, seeds, kind=OfCheat),
        "diagnosis": kept_scores.every(study.faults, seeds, kind=OfFault),
        "diagnosis-pictures": kept_scores.every(study.faults_on_pictures, seeds, kind=OfPictures),
    }
    if study.profile.transfer and study.profile.small:
        of_target = {"scratch": target_networks.from_scratch, "fine-tuned": target_networks.fine_tuned}
        for name, every in of_target.items():
            groups[name] = [one for seed in seeds or (0,) for one in every(study.transferred, seed)]
    grouped = [one for group in groups.values() for one in group]
    for one in (*main, *grouped):
        groups.setdefault(one.name, []).append(one)
    if unknown := [name for name in which if not groups.get(name)]:
        there = ", ".join(map(repr, (name for name, own in groups.items() if own)))
        raise ValueError(f"the edition {study.edition} has no network or row {unknown[0]!r}; it has {there}")
    if which:
        found = [one for name in which for one in groups[name]]
        return list({(one.study.folder, one.name, one.seed): one for one in found}.values())
    return [one for one in main if not one.name.startswith(TRIALS)] + grouped


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
