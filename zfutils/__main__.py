"""The command line: `python -m zfutils look | new | prepare | train | scores | execute | measure | publish`.

`torchrun --nproc-per-node N -m zfutils prepare | train | scores …` does the same on N ranks, a GPU each.

A mistake of the user's (a misspelt edition, a missing data set, an unknown parameter) is one line on stderr
and exit status 2; a notebook that fails is its traceback and exit status 1.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from zfutils.runtime.folders import absolute, fix_folders
from zfutils.runtime.shadows import refuse_shadows

Command = Callable[[argparse.Namespace], int]  # to the exit status


def prepare(arguments: argparse.Namespace) -> int:
    """Fetch data sets where asked, and build the pixels of an edition."""
    from zfutils.data import downloads
    from zfutils.study.study import Study

    for name in arguments.download:
        downloads.download(name)
    Study.open(arguments.edition).prepare()
    return 0


def train(arguments: argparse.Namespace) -> int:
    """Train networks of an edition that are not there yet: those named, or all that its pages train."""
    from zfutils.study import for_pages
    from zfutils.study.study import Study

    study = Study.open(arguments.edition)
    if not arguments.networks:
        for_pages.train(study)
    if "small" in arguments.networks:
        study.small.train(study.small.profile.networks)
    study.train([name for name in arguments.networks if name != "small"], arguments.seed)
    return 0


def scores(arguments: argparse.Namespace) -> int:
    """Train what an edition's kept scores lack, and file each network's in book/reference/scores/."""
    from zfutils.study.earn import chosen, earn, lacking
    from zfutils.study.study import Study

    study = Study.open(arguments.edition)
    if not arguments.list:
        earn(chosen(study, arguments.which, arguments.seed))
        return 0
    with contextlib.redirect_stdout(sys.stderr):  # pixels that are prepared say so
        missing = lacking(chosen(study, arguments.which, arguments.seed))
    print(*(f"{one.name}\t{one.seed}" for one in missing), sep="\n")
    return 0


def measure(arguments: argparse.Namespace) -> int:
    """Time the training of an edition's ZFNet on this machine's GPU, for book/reference/gpu.json."""
    from zfutils.study import gpu
    from zfutils.study.study import Study

    for row in gpu.measure(Study.open(arguments.edition)).itertuples():
        print(f"{row.device}, {row.precision}: {row.images_per_second:,.0f} images/s")
    return 0


def publish(arguments: argparse.Namespace) -> int:
    """Keep an edition's networks, numbers and figures as the published run, in book/reference/."""
    from zfutils.study import kept_figures, target_copies
    from zfutils.study.publish import publish, publish_source
    from zfutils.study.study import Study

    study = Study.open(arguments.edition)
    if arguments.source:
        publish_source(study)
        target_copies.publish(study.transferred)
    elif not arguments.figures:
        publish(study)
    if not arguments.source:
        kept_figures.publish(study)
    return 0


def look(arguments: argparse.Namespace) -> int:
    """Look into any network with a folder of pictures, and write pages to be opened in a browser."""
    from dataclasses import replace

    from zfutils.look import networks
    from zfutils.look.looking import look

    network = networks.load(arguments.model, arguments.weights, seed=arguments.seed)
    given = {name: getattr(arguments, name) for name in ("side", "channels", "mean", "std")}
    network = replace(network, preprocessing=networks.prepared(network, **given))
    chosen = {name: getattr(arguments, name) for name in ("layers", "maps", "pictures", "seed")}
    with contextlib.redirect_stdout(sys.stderr):  # progress
        index = look(network, absolute(arguments.images), absolute(arguments.output), **chosen)
    print(f"file://{index}")
    return 0


def new(arguments: argparse.Namespace) -> int:
    """Write an edition on a folder of your own pictures, with a light budget."""
    from zfutils.study.own_edition import new
    from zfutils.study.places import BOOK

    path = new(arguments.name, arguments.images, BOOK / "profiles")
    print(f"{path}: raise what it marks; then: make book EDITION={arguments.name}")
    return 0


def execute(arguments: argparse.Namespace) -> int:
    """Run one notebook into the build folder of its edition."""
    # jsonschema, which checks notebooks, compiles a grammar of addresses for a second; these have none.
    sys.modules.setdefault("rfc3987_syntax", None)
    from zfutils.runtime import notebooks
    from zfutils.study.left_out import leave_out, reason
    from zfutils.study.places import BOOK, NAMED, executed_path, named

    source = arguments.notebook
    own = notebooks.parse_parameters(source, arguments.parameter)
    if "edition" in own:
        raise ValueError("the edition is given once, as --edition")
    own |= {name: named(name, own[name]) for name in NAMED if name in own}  # pages run in book/
    if ":" in own.get("model", ""):  # a module is imported from where the user stands
        os.environ["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    output = executed_path(source, arguments.edition, trial=bool(notebooks.changed(source, own)))
    parameters = {"edition": arguments.edition} | own
    if why := reason(source.stem, BOOK / "profiles" / f"{arguments.edition}.yaml"):
        leave_out(source, output, why, parameters)
        print(f"{source.stem}: left out, {why}", file=sys.stderr, flush=True)
        return 0
    print(f"{source.stem}: started, edition {arguments.edition}", file=sys.stderr, flush=True)
    try:
        seconds = notebooks.execute(source, output, parameters, stream=sys.stderr)
    except notebooks.NotebookFailed as error:
        print(error.traceback, f"zfutils: {error}", sep="\n", file=sys.stderr)
        return 1
    print(f"{source.stem}: done in {seconds:.1f} s", file=sys.stderr, flush=True)
    return 0


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    whole = argparse.ArgumentParser(
        prog="python -m zfutils", description="Images, networks and notebooks of one edition of the study."
    )
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--edition", default="quick", help="a file of book/profiles/ (default: quick)")

    def added(run: Command, *, of_an_edition: bool = True) -> argparse.ArgumentParser:
        parents = [common] if of_an_edition else []
        command = commands.add_parser(run.__name__, parents=parents, help=run.__doc__)
        command.set_defaults(run=run)
        return command

    command = added(prepare)
    command.add_argument(
        "--download",
        nargs="+",
        default=[],
        metavar="SET",
        help="imagenette2-160, imagewoof2-160, tiny-imagenet-200, caltech101, caltech256, "
        "VOCdevkit/VOC2012 or MNIST",
    )

    command = added(train)
    command.add_argument(
        "networks",
        nargs="*",
        metavar="NETWORK",
        help="names from the edition, zfnet say; small: all rows of Table 3 (default: all that pages train)",
    )
    command.add_argument("--seed", type=int, nargs="+", help="one or more (default: the edition's own)")

    command = added(scores)
    command.add_argument(
        "which",
        nargs="*",
        metavar="WHICH",
        help="networks or rows of Table 3; small, scratch, fine-tuned, settings, filters, depth, pooling, "
        "diagnosis or diagnosis-pictures: all of these (default: all)",
    )
    command.add_argument("--seed", type=int, nargs="+", help="of each (default: the edition's own)")
    command.add_argument(
        "--list",
        action="store_true",
        help="only name what is missing: network, tab, seed (slurm/networks.sh)",
    )

    command = added(look, of_an_edition=False)
    command.add_argument(
        "--model",
        required=True,
        metavar="NAME",
        help="torchvision:resnet18, or module:name from where you stand",
    )
    command.add_argument(
        "--weights", metavar="FILE", help="safetensors, .pt or .pth; DEFAULT: torchvision's (default: random)"
    )
    command.add_argument(
        "--images", type=Path, required=True, metavar="FOLDER", help="of pictures, at any depth"
    )
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="folder for the pages"
    )
    command.add_argument(
        "--layers", nargs="+", metavar="LAYER", help="layer2.1.relu, say (default: the last of each size)"
    )
    command.add_argument("--maps", type=int, default=16, help="of each layer (default: 16)")
    command.add_argument("--pictures", type=int, default=3, help="to cover (default: 3)")
    command.add_argument("--seed", type=int, default=0, help="of random weights and chosen maps")
    numbers = command.add_argument_group("what pictures undergo (default: as the model's weights ask for)")
    numbers.add_argument("--side", type=int, help="of what the network sees (pixels)")
    numbers.add_argument("--channels", type=int, help="1 or 3")
    numbers.add_argument("--mean", type=float, nargs="+", help="by channel, of values in 0…1")
    numbers.add_argument("--std", type=float, nargs="+", help="by channel")

    command = added(new, of_an_edition=False)
    command.add_argument("name", metavar="NAME", help="of the edition, mine say")
    command.add_argument(
        "--images", type=Path, required=True, metavar="FOLDER", help="train/ and val/, or classes"
    )

    added(measure)

    command = added(publish)
    alone = command.add_mutually_exclusive_group()
    alone.add_argument("--source", action="store_true", help="chapter 9's source network alone")
    alone.add_argument("--figures", action="store_true", help="the figures that its pages kept alone")

    command = added(execute)
    command.add_argument("notebook", type=Path, metavar="NOTEBOOK", help="book/01_architecture.ipynb, say")
    command.add_argument(
        "-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="may be repeated"
    )
    return whole


def main(words: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        words: the command line without the program's name; the process's own by default.

    Returns:
        Exit status: 0, 1 for a notebook that failed, 2 for a mistake of the user's, 130 when interrupted.
    """
    arguments = parser().parse_args(words)
    fix_folders()
    ranks = int(os.environ.get("WORLD_SIZE", "1"))  # as torchrun says
    who = f"zfutils, rank {os.environ['RANK']} of {ranks}" if ranks > 1 else "zfutils"
    try:
        refuse_shadows()
        if ranks == 1:
            return arguments.run(arguments)
        from zfutils.runtime.ranks import joined

        if arguments.run not in (prepare, train, scores):
            raise ValueError(f"{arguments.run.__name__} works in one process; start it without torchrun")
        with joined():
            return arguments.run(arguments)
    except (ValueError, OSError) as error:
        print(f"{who}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("zfutils: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
