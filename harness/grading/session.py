"""Everything that evaluating needs, opened together and closed together: daemon, images, journal, workers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event

from harness.common.collect import Value, collect
from harness.common.journal import Journal
from harness.common.paths import cache_folder
from harness.common.run_folder import RunFolder
from harness.common.run_state import Part
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.core.interfaces import Limits, Sandbox
from harness.core.verdict import Verdict
from harness.dataset.recipes import load_recipes
from harness.grading.counter_evaluation import CounterEvaluation
from harness.grading.evaluator import Evaluator
from harness.grading.executor import Executor, JobSandbox
from harness.grading.jobs_under_way import Jobs
from harness.grading.log_workers import LogWorkers
from harness.grading.scripts import CommandRun, CommandRunner, Script
from harness.grading.specification import Specification, specify
from harness.grading.suite_comparison import SuiteSettings, WholeSuites
from harness.grading.testbed import Testbed
from harness.images.names import built_name
from harness.images.on_demand import SuppliedSandbox
from harness.images.supply import Images
from harness.sandbox.same_platform import require_own_platform

AHEAD_SHARE = 0.5  # containers started and prepared ahead of need, for each that runs tests


@dataclass(frozen=True)
class Session:
    """Verdicts on patches for a fixed set of instances, by a pool of workers."""

    evaluator: Evaluator
    commands: CommandRunner
    testbeds: dict[str, Testbed]  # by instance id
    _digests: dict[str, str]  # image name -> digest; of images that come on demand, from then on
    _supply: Images
    _pool: ThreadPoolExecutor
    _control: CounterEvaluation | None = None  # None: not asked for
    _suites: WholeSuites | None = None  # None: not asked for
    _sandbox: JobSandbox | None = None  # whose containers are counted
    _jobs: Jobs = field(default_factory=Jobs)
    closing: Event = field(default_factory=Event)  # set when the session ends by an error or an interrupt
    _finished: set[str] = field(default_factory=set)  # instance ids

    @property
    def images(self) -> dict[str, str]:
        """Instance id -> digest of its image, of all that were looked at by now."""
        return {i: self._digests[bed.image] for i, bed in self.testbeds.items() if bed.image in self._digests}

    def digest(self, instance_id: str) -> str | None:
        """Digest of one instance's image; None if nobody looked at it by now."""
        return self._digests.get(self.testbeds[instance_id].image)

    def circumstances(self, instance_id: str, digest: str) -> str:
        """Hash of everything beside the patch that determines an instance's verdicts in the image of that digest."""
        return self.evaluator.circumstances(self.testbeds[instance_id], digest)

    def finish(self, instance_id: str) -> None:
        """No further work on this instance is going to come: under a budget its image may go, in the background."""
        if self.closing.is_set():
            return  # its caller may be the pool's own shutdown, which holds the lock that `submit` takes
        self._finished.add(instance_id)
        finished = self.testbeds[instance_id]
        if all(i in self._finished for i, bed in self.testbeds.items() if bed.image == finished.image):
            with suppress(RuntimeError):  # the workers are closed already, and the run with them
                self._pool.submit(self._supply.finish, finished.instance)

    def submit(self, instance: Instance, patch: str | None, repeat: int = 0) -> "Future[Verdict]":
        """Start evaluating; the verdict comes as a future."""
        return self._start(instance, self.evaluator.evaluate, patch, repeat)

    def submit_checked(self, instance: Instance, patch: str | None, control: bool = True) -> "Future[Verdict]":
        """Start evaluating, and then what is asked for and the verdict needs: counter-evaluation, whole suite.

        ``control`` False: no counter-evaluation, as the patch can't be forged.
        """
        return self._start(instance, self._checked, patch, control)

    def _checked(self, testbed: Testbed, patch: str | None, control: bool) -> Verdict:
        verdict = self.evaluator.evaluate(testbed, patch)
        if control and self._control is not None:
            verdict = self._control.checked(testbed, patch or "", verdict)
        return verdict if self._suites is None else self._suites.compared(testbed, patch or "", verdict)

    def submit_base(self, instance: Instance, repeat: int = 0) -> "Future[Verdict]":
        """Start testing the base state itself."""
        return self._start(instance, self.evaluator.evaluate_base, repeat)

    def submit_script(self, instance: Instance, script: Script, patch: str) -> "Future[CommandRun]":
        """Start a script of ours in the instance's image, with a patch put in first if there is one."""
        return self._start(instance, self.commands.run, script, patch)

    def _start(self, instance: Instance, work: Callable[..., Value], *arguments: object) -> "Future[Value]":
        testbed = self.testbeds[instance.instance_id]
        self._jobs.submitted()
        return self._pool.submit(self._jobs.run, instance, partial(work, testbed, *arguments))

    @property
    def idle(self) -> bool:
        """Whether nothing is being tested, or waits for it."""
        return not self._jobs.running and not self._jobs.waiting

    def part(self) -> Part:
        """What is in containers now and waits for one, for whoever watches."""
        return self._jobs.part(self._sandbox)


@contextmanager
def evaluation_session(
    instances: Sequence[Instance],
    evaluation: EvaluationConfig,
    folder: RunFolder,
    executor: Executor,
    recipes: Path | None = None,
) -> Iterator[Session]:
    """Check every instance's image and specification, reap what a killed run left, and open the workers.

    Images that are to be pulled or built ahead are here before. On the way out all containers are gone. Raises
    InputError if an instance has no image or no specification, naming all of them at once.
    """
    images, workers = executor.images, evaluation.workers or executor.workers()
    testbeds = _testbeds(instances, images, recipes)
    names = {testbed.image: testbed.instance for testbed in testbeds.values()}
    journal = folder.journal("evaluations")
    for platform in platforms_seen(journal):
        require_own_platform(platform, f"a verdict in {folder.path}")
    threads = workers + max(1, round(workers * AHEAD_SHARE))
    with (
        executor.sandbox(workers) as jobs,
        ThreadPoolExecutor(threads, "evaluate") as pool,
        LogWorkers() as weigh,
    ):
        jobs.reap()
        limits = replace(evaluation.limits(), not_enforced=jobs.not_enforced)
        digests = {name: image.digest for name, instance in names.items() if (image := images.find(instance))}
        sandbox: Sandbox = jobs
        if images.on_demand:
            digests = known_digests(journal) | digests
            sandbox = SuppliedSandbox(jobs, images, names, digests)
        graders = _graders(sandbox, journal, folder, evaluation, limits, weigh)
        session = Session(
            graders.evaluator, graders.commands, testbeds, digests, images, pool, graders.control, graders.suites, jobs
        )
        try:
            yield session
        except BaseException:
            session.closing.set()
            jobs.stop()
            images.close()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    images.settle()
    for opened in graders.journals:
        opened.close()


@dataclass(frozen=True)
class _Graders:
    """All that makes verdicts in one sandbox, and the journals that they are kept in."""

    evaluator: Evaluator
    commands: CommandRunner
    control: CounterEvaluation | None
    suites: WholeSuites | None
    journals: tuple[Journal, ...]


def _graders(
    sandbox: Sandbox,
    journal: Journal,
    folder: RunFolder,
    evaluation: EvaluationConfig,
    limits: Limits,
    weigh: LogWorkers,
) -> _Graders:
    def judges(kept: Journal, limited: Limits = limits) -> tuple[Evaluator, CommandRunner]:
        return (
            Evaluator(sandbox, kept, folder.logs, limited, weigh),
            CommandRunner(sandbox, kept, folder.command_logs, limits),
        )

    controls = folder.journal("controls")
    control = CounterEvaluation(*judges(controls), controls, weigh.statuses)
    journals, whole = [journal, controls], None
    if evaluation.whole_suite:
        suites = folder.journal("suites")
        journals.append(suites)
        longer = replace(limits, seconds=evaluation.whole_suite_timeout, output_bytes=4 * limits.output_bytes)
        settings = SuiteSettings(longer, evaluation.whole_suite_files, evaluation.whole_suite_repeats)
        whole = WholeSuites(*judges(suites, longer), suites, weigh.statuses, settings, cache_folder() / "whole-suites")
    return _Graders(*judges(journal), control if evaluation.control else None, whole, tuple(journals))


def _testbeds(instances: Sequence[Instance], images: Images, recipes: Path | None) -> dict[str, Testbed]:
    names = collect(instances, lambda instance: _name(images, instance))
    specifications = specifications_of(instances, recipes, names)
    return {i.instance_id: Testbed(i, specifications[i.instance_id], names[i.instance_id]) for i in instances}


def _name(supply: Images, instance: Instance) -> str:
    """Name of the instance's image: of the one that is here, else the one that it is pulled under when it is wanted."""
    if supply.find(instance) is None and supply.on_demand:
        return str(supply.wanted(instance))
    return str(supply.obtain(instance).name)


def known_digests(journal: Journal) -> dict[str, str]:
    """Digests of images by their names, as the verdicts of a journal saw them last."""
    verdicts = [record["verdict"] for record in journal.records() if "verdict" in record]
    return {verdict["image"]: verdict["image_digest"] for verdict in verdicts if verdict.get("image_digest")}


def platforms_seen(journal: Journal) -> set[str]:
    """The platforms that a journal's verdicts were made on; those of earlier releases do not say."""
    verdicts = [record["verdict"] for record in journal.records() if "verdict" in record]
    return {seen for verdict in verdicts if (seen := (verdict.get("circumstances") or {}).get("platform"))}


def specifications_of(
    instances: Sequence[Instance], recipes: Path | None, images: Mapping[str, str] | None = None
) -> dict[str, Specification]:
    """How each instance is evaluated, by its id; ``images`` are the names of their local images, if known.

    A recipe speaks for the image that it made: in any other, a classic row is tested the benchmark's own way.
    Raises InputError naming every instance of which it is not known how.
    """
    book = load_recipes(recipes)

    def specification_of(instance: Instance) -> Specification:
        instance_id = instance.instance_id
        made_here = images is None or images[instance_id] == str(built_name(instance_id))
        return specify(instance, book.instances.get(instance_id) if made_here else None)

    return collect(instances, specification_of)
