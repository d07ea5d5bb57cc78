"""The laboratory, `python -m lab`: reads arguments, calls the one function that does the work, prints."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.common.disk_faults import explained, is_for_the_user
from harness.common.inert import one_line, set_up_log
from harness.common.paths import check_folder
from harness.errors import HarnessError, InputError
from lab import LabError
from lab.arms import ARMS
from lab.training.recipe import Recipe

HELP = "Train tiny models on packed data sets, score them, and study what packing does to the bugs they resolve."
app = typer.Typer(name="lab", help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

ARMS_HELP = f"Repeated; all if not given: {', '.join(arm.name for arm in ARMS)}."
FolderArgument = Annotated[Path, typer.Argument(help="Where corpus, packings and checkpoints lie.")]
ArmOption = Annotated[list[str] | None, typer.Option("--arm", "-a", help=ARMS_HELP)]
SeedsOption = Annotated[int, typer.Option(help="Checkpoints of each arm, seeds 0, 1, ...", min=1)]
TokensOption = Annotated[int, typer.Option(help="Of the corpus, and the budget of each training.", min=10_000)]
MOST_SEED = (1 << 63) - 1  # that torch takes
LABORATORY = Path("results/lab")
REFERENCE = Path("results/reference/ablation")
TOKENS = 3_000_000
LABORATORY_PART = "the laboratory's folder"  # of `FolderArgument`, in messages


@app.command()
def make(
    folder: FolderArgument = LABORATORY,
    arm: ArmOption = None,
    seeds: SeedsOption = 1,
    tokens: TokensOption = TOKENS,
    at_once: Annotated[int, typer.Option(help="Trainings at a time.", min=1)] = 1,
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Corpus, packings and plan; train elsewhere.")] = False,
) -> None:
    """Write the corpus, pack it by every strategy, train one checkpoint for each arm and seed."""
    from lab.arms import arms_named
    from lab.corpus.make_corpus import CorpusRecipe
    from lab.laboratory import Laboratory

    check_folder(folder, LABORATORY_PART)
    laboratory = Laboratory(folder, CorpusRecipe(tokens=tokens))
    arms, numbers = arms_named(tuple(arm or ())), range(seeds)
    if plan_only:
        typer.echo(f"planned: {laboratory.prepare(arms, numbers, _progress)}")
    else:
        laboratory.make(arms, numbers, at_once, _progress)
        typer.echo(f"checkpoints: {folder / 'checkpoints'}")


@app.command()
def tokenizer(
    corpus: Annotated[Path, typer.Argument(help="JSONL with a column text.")],
    output: Annotated[Path, typer.Argument(help="Folder for the tokenizer.")],
    vocabulary: Annotated[int, typer.Option(help="Tokens, at most.", min=300)] = 1536,
) -> None:
    """Train a tokenizer on a corpus of one's own."""
    from itertools import islice

    from harness.packing.findings import Reading
    from harness.packing.sources import read_documents
    from lab.corpus.make_corpus import CorpusRecipe, write_tokenizer

    check_folder(output, "the tokenizer's folder")
    documents = islice(read_documents(str(corpus), Reading()), CorpusRecipe.tokenizer_documents)
    texts = [document.content for document in documents if isinstance(document.content, str)]
    if not texts:
        raise InputError(f"{corpus}: holds no text to train a tokenizer on")
    write_tokenizer(output, texts, vocabulary)
    typer.echo(f"tokenizer: {output}")


@app.command()
def train(
    data: Annotated[Path, typer.Argument(help="One strategy's folder of what `harness pack --output` wrote.")],
    tokenizer: Annotated[Path, typer.Argument(help="Folder of the tokenizer that the corpus was packed with.")],
    output: Annotated[Path, typer.Argument(help="Folder for the checkpoint.")],
    tokens: Annotated[int, typer.Option(help="Slots to train on, padding included.", min=1)] = TOKENS,
    seed: Annotated[int, typer.Option(help="Of weights and order of the rows.", min=0, max=MOST_SEED)] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
) -> None:
    """Train one checkpoint on packed rows; the same command goes on where it was stopped."""
    from lab.training.train import train

    train(data, tokenizer, output, Recipe(), seed, tokens, device)
    typer.echo(f"checkpoint: {output}")


@app.command()
def score(
    questions: Annotated[Path, typer.Argument(help="JSONL: prompt, answer, kind (corpus/held-out.jsonl).")],
    checkpoints: Annotated[list[Path], typer.Argument(help="Checkpoint folders.")],
    limit: Annotated[int | None, typer.Option(help="Questions of each kind; all if not given.", min=1)] = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Greedy answers too, not teacher-forced ones alone.")
    ] = False,
) -> None:
    """How often a checkpoint's most likely answer to held-out questions is the wanted one, word for word."""
    from lab.score import score_checkpoint

    for checkpoint in checkpoints:
        typer.echo(score_checkpoint(checkpoint, questions, limit, generate))


@app.command()
def ship(
    folder: FolderArgument = LABORATORY,
    tokens: TokensOption = TOKENS,
    limit: Annotated[int | None, typer.Option(help="Held-out questions of each kind; all if not given.", min=1)] = None,
) -> None:
    """Make the first checkpoint of each strategy, with its score, the one that comes with the project."""
    from lab.corpus.make_corpus import CorpusRecipe
    from lab.laboratory import Laboratory
    from lab.ship import DESTINATION
    from lab.ship import ship as ship_checkpoints

    check_folder(folder, LABORATORY_PART)
    ship_checkpoints(Laboratory(folder, CorpusRecipe(tokens=tokens)), DESTINATION, limit, _progress)
    typer.echo(f"checkpoints: {DESTINATION}")


@app.command()
def ablation(
    folder: FolderArgument = LABORATORY,
    output: Annotated[Path, typer.Option(help="Folder for the study.")] = Path("results/ablation"),
    arm: ArmOption = None,
    seeds: SeedsOption = 5,
    tokens: TokensOption = TOKENS,
    count: Annotated[int, typer.Option(help="Held-out instances, by which arms are compared.", min=1)] = 200,
    transfer: Annotated[int, typer.Option(help="Instances of kinds of bug that training never shows.", min=0)] = 60,
    at_once: Annotated[int, typer.Option(help="Trainings at a time.", min=1)] = 1,
) -> None:
    """The whole study: train, evaluate every checkpoint through the pipeline and Docker, write tables and page."""
    from lab.ablation import Instances, run_ablation
    from lab.arms import arms_named
    from lab.corpus.make_corpus import CorpusRecipe
    from lab.laboratory import Laboratory

    check_folder(folder, LABORATORY_PART)
    check_folder(output, "the study's folder")
    laboratory = Laboratory(folder, CorpusRecipe(tokens=tokens))
    instances = Instances(count, transfer)
    run_ablation(laboratory, output, arms_named(tuple(arm or ())), range(seeds), instances, at_once, _progress)
    typer.echo(f"study: {output}")


@app.command()
def study(
    run: Annotated[Path, typer.Argument(help="Output folder of a run, with the references gold and empty.")],
    checkpoints: Annotated[Path, typer.Argument(help="Folder of its checkpoints, each named ARM.seedN.")],
    output: Annotated[Path, typer.Argument(help="Folder for the study; checkpoints of other runs stay in it.")],
) -> None:
    """Tables, figure and page of a run of several arms and seeds.

    Checkpoints are named ARM.seedN, in the run as in their folder (best-fit+drop.seed0, say). The run needs the
    references gold and empty.
    """
    from lab.study import joined, load_study, read_study, replaced, write_study

    found, kept = read_study(run, checkpoints), load_study(output)
    if kept and (names := replaced(kept, found)):
        typer.echo(f"replaced, since this run's outcomes are others: {', '.join(names)}")
    write_study(joined(kept, found) if kept else found, output)
    typer.echo(f"study: {output}")


@app.command()
def rewrite(
    folder: Annotated[Path, typer.Argument(help="A study's folder, with study.json.gz or heads.json.gz.")] = REFERENCE,
    html: Annotated[Path | None, typer.Option(help="Write a page as of `harness report --html` here.")] = None,
) -> None:
    """A study's tables, figure and page once more, from its study.json.gz or heads.json.gz and notes.md alone."""
    from lab.heads.heads_page import write_heads
    from lab.heads.heads_study import is_heads, load_heads
    from lab.study import load_study, write_study, write_study_page

    if is_heads(folder):
        if html is not None:
            raise InputError(
                f"--html {html}: {folder} holds a study of lost heads, which has no HTML page; leave it out"
            )
        write_heads(load_heads(folder), folder)
        typer.echo(f"study: {folder}")
        return
    kept = load_study(folder)
    if kept is None:
        raise InputError(f"{folder}: holds no study.json.gz; name the folder of a study")
    write_study(kept, folder)
    typer.echo(f"study: {folder}")
    if html is not None:
        typer.echo(f"page: {write_study_page(kept, folder.resolve().name, html)}")


@app.command()
def heads(
    folder: FolderArgument = Path("results/heads"),
    output: Annotated[Path, typer.Option(help="Folder for the study.")] = Path("results/heads-study"),
    corpus: Annotated[
        str, typer.Option(help="fitting: every document fits the context. overlong: many do not.")
    ] = "fitting",
    arm: Annotated[list[str] | None, typer.Option("--arm", "-a", help="Repeated; all if not given.")] = None,
    seeds: SeedsOption = 5,
    tokens: TokensOption = 1_250_000,
    rare: Annotated[float, typer.Option(help="Share of the rare dialects.", min=0, max=1)] = 0.05,
    corpus_seed: Annotated[int, typer.Option(help="Of the corpus; another one for pilots.", min=0)] = 0,
    count: Annotated[int, typer.Option(help="Held-out instances.", min=1)] = 100,
    at_once: Annotated[int, typer.Option(help="Trainings at a time.", min=1)] = 1,
    train_only: Annotated[bool, typer.Option("--train-only", help="Train and draw the curve; no harness.")] = False,
) -> None:
    """What documents cut from their heads teach: train, evaluate through the pipeline and Docker, write the page."""
    from lab.heads.heads_arms import KINDS, arms_of_kind, kind_named

    check_folder(folder, LABORATORY_PART)
    check_folder(output, "the study's folder")
    kind = kind_named(corpus)
    arms = arms_of_kind(kind, tuple(arm or ()))

    from lab.heads.heads_corpus import HeadsRecipe
    from lab.heads.make_heads import make_heads, train_heads
    from lab.heads.workshop import HeadsWorkshop

    workshop = HeadsWorkshop(folder, kind, HeadsRecipe(corpus_seed, tokens, KINDS[kind].mix(rare)))
    if train_only:
        train_heads(workshop, arms, range(seeds), at_once, _progress)
    else:
        make_heads(workshop, output, arms, range(seeds), count, at_once, _progress)
        typer.echo(f"study: {output}")


@app.command("ship-heads")
def ship_heads(folder: FolderArgument = Path("results/heads")) -> None:
    """Make two checkpoints of the study of lost heads those that come with the project, for `heads-demo`."""
    from lab.heads.heads_corpus import HeadsRecipe
    from lab.heads.heads_demo import shipped_heads
    from lab.heads.workshop import HeadsWorkshop
    from lab.ship import ship_heads as ship_checkpoints

    check_folder(folder, LABORATORY_PART)
    ship_checkpoints(HeadsWorkshop(folder, "fitting", HeadsRecipe()), shipped_heads())
    typer.echo(f"checkpoints: {shipped_heads()}")


@app.command("heads-demo")
def heads_demo(
    folder: Annotated[Path, typer.Argument(help="Where instances and records go.")] = Path("results/demo/heads"),
    count: Annotated[int, typer.Option(help="Held-out instances.", min=1)] = 12,
) -> None:
    """Ask two checkpoints that come with the project, of the study of lost heads, in rare and in common words."""
    from harness.common.options import show_table

    check_folder(folder, "the output folder")

    from lab.heads.heads_demo import heads_table, run_heads_demo

    attempts = run_heads_demo(folder, count)
    show_table(heads_table(attempts))
    typer.echo(f"records: {folder}")


def _progress(line: str) -> None:
    typer.echo(line, err=True)


def main() -> None:
    """Run the command line; errors become one line, with exit status 2 if the input is wrong, otherwise 1."""
    set_up_log()
    try:
        app()
    except (HarnessError, LabError) as error:
        typer.echo(f"lab: {one_line(error)}", err=True)
        sys.exit(2 if isinstance(error, InputError | LabError) else 1)
    except OSError as error:
        typer.echo(f"lab: {one_line(explained(error))}", err=True)
        sys.exit(2 if is_for_the_user(error) else 1)


if __name__ == "__main__":
    main()
