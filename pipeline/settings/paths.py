"""Where every stage reads and writes, relative to the repository root, and nowhere else."""

from pathlib import Path

from pipeline.base.errors import UserError

PARAMS = Path("params.yaml")
DATA = Path("data")

DATASET = DATA / "dataset"  # download: manifest.csv, classes.csv, images/ and masks/ it had to make
NEEDS = DATA / "needs"  # needs: <stage>.txt, yes or no, for the stages that not every run needs
SEEDS = DATA / "seeds"  # seeds: classifier.safetensors, seeds.npy, history.csv
DSRG = DATA / "dsrg"  # dsrg: network.safetensors, history.csv
TEACHER = DATA / "teacher"  # teacher: network.safetensors, history.csv, taught.txt
PROXY = DATA / "proxy"  # proxy: <generator>/{masks, confidence, made.txt, quality.json, ...}
SPLIT = DATA / "split"  # split: strong.txt, weak.txt, weak-<generator>.txt, plans/<variant>.json
MODELS = DATA / "models"  # train: <variant>/<seed>/{network.safetensors, history.csv}
PREDICTIONS = DATA / "predictions"  # evaluate: <variant>/<id>.png
PACKAGES = DATA / "packages"  # package: <variant>/{model.safetensors, MODEL_CARD.md}
CHECKPOINTS = (
    DATA / "checkpoints"
)  # every long stage: to resume from; removed when the stage is done
TENSORBOARD = DATA / "tensorboard"  # trainings: <name>/, with machine.tensorboard
RECORDS = DATA / "records"  # every stage: versions, device, commit, seconds; no output for DVC
# evaluate: <data set>/<kind>/<name>.csv, <data set>/metrics/<name>.json, kept in git
RESULTS = Path("results")
KINDS = ("metrics", "seeds", "per_class", "confusion", "lambda")  # of results
SPREAD = RESULTS / "spread.csv"  # make verify: how far training seeds lie apart
LIVE = Path("live")  # trainings: <name>/plots/metrics/*.tsv, which grow while they run
REPORT = Path("report")  # report: index.html, run.html, tables/, plots/
CHECK = Path("check")  # pages beside a run: index.html of stages.check, proxies-<generator>.html
# What stages and DVC replace and remove as a whole.
OUTPUTS = (
    *(DATASET, NEEDS, SEEDS, DSRG, TEACHER, PROXY, SPLIT, MODELS, PREDICTIONS, PACKAGES),
    *(CHECKPOINTS, TENSORBOARD, RECORDS, RESULTS, LIVE, REPORT),
)


def first_pictures(generator: str) -> Path:
    """The page that stage proxy leaves for whoever waits; no output for DVC."""
    return CHECK / f"proxies-{generator}.html"


def model_dir(variant: str, seed: int) -> Path:
    """Folder of one trained network."""
    return MODELS / variant / str(seed)


def proxy_dir(generator: str) -> Path:
    """Folder of one generator's proxies."""
    return PROXY / generator


def result_file(dataset: str, kind: str, name: str) -> Path:
    """Where one kind of score of a network lies: of a variant, dsrg, or ensemble_<variant>.

    Those of another data set are other files: a run on photographs of one's own replaces none of
    the embedded data's.

    >>> result_file("shapes", "metrics", "dual").as_posix()
    'results/shapes/metrics/dual.json'
    >>> result_file("voc", "lambda", "ensemble_weak").as_posix()
    'results/voc/lambda/ensemble_weak.csv'
    """
    return RESULTS / dataset / kind / f"{name}.{'json' if kind == 'metrics' else 'csv'}"


def checksums_file(dataset: str) -> Path:
    """What `make verify` compares a run with."""
    return RESULTS / dataset / "checksums.txt"


def record_file(stage: str) -> Path:
    """Where a stage notes what it ran on.

    >>> record_file("train dual 0").as_posix()
    'data/records/train-dual-0.json'
    """
    return RECORDS / f"{stage.replace(' ', '-')}.json"


def resolve_user_path(path: str | Path, cwd: Path | None = None) -> Path:
    """Turn a path from params.yaml into one that holds in a DVC experiment's copy, too.

    `dvc exp run --temp` and `--queue` run the stages in a copy of the repository under
    `.dvc/tmp/exps/`. A relative path a user typed means their own checkout, so it is taken from
    the folder that holds that `.dvc`.

    Raises:
        UserError: links lead in a circle.
    """
    here = (cwd or Path.cwd()).resolve()
    base = here
    for parent in here.parents:
        if (parent / ".dvc" / "tmp" / "exps") in here.parents:
            base = parent
            break
    try:
        return (base / Path(path).expanduser()).resolve()
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path} in params.yaml leads nowhere ({error})") from error
