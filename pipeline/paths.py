"""Where every stage reads and writes, relative to the repository root, and nowhere else."""

from pathlib import Path

from pipeline.errors import UserError

PARAMS = Path("params.yaml")
DATA = Path("data")

DATASET = DATA / "dataset"  # download: manifest.csv, classes.csv, images/ and masks/ it had to make
SEEDS = DATA / "seeds"  # seeds: classifier.safetensors, seeds.npy, quality.csv, history.csv
DSRG = DATA / "dsrg"  # dsrg: network.safetensors, history.csv
PROXY = DATA / "proxy"  # proxy: masks/, confidence/, quality.json, quality.csv
SPLIT = DATA / "split"  # split: strong.txt, weak.txt, plans/<variant>.json
MODELS = DATA / "models"  # train: <variant>/<seed>/{network.safetensors, history.csv}
PREDICTIONS = DATA / "predictions"  # evaluate: <variant>/<id>.png
PACKAGES = DATA / "packages"  # package: <variant>/{model.safetensors, MODEL_CARD.md}
CHECKPOINTS = DATA / "checkpoints"  # every long stage: to go on from, gone when it is done
TENSORBOARD = DATA / "tensorboard"  # trainings: <name>/, with engine.tensorboard
RECORDS = DATA / "records"  # every stage: versions, device, commit, seconds
RESULTS = Path("results")  # evaluate: <variant>/{metrics.json, per_class.csv, ...}, kept in git
LIVE = Path("live")  # trainings: <name>/plots/metrics/*.tsv, which grow while they run
REPORT = Path("report")  # report: index.html
# What stages and DVC replace and remove as a whole.
OUTPUTS = (DATASET, SEEDS, DSRG, PROXY, SPLIT, MODELS, PREDICTIONS, CHECKPOINTS, RECORDS, RESULTS)


def model_dir(variant: str, seed: int) -> Path:
    """Folder of one trained network."""
    return MODELS / variant / str(seed)


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
