"""Put scores.csv into animals6.md as tables, and draw it: python -m docs.results.animals6.tables.

Differences are paired by seed, which is a draw of the masks, too; intervals are Student's, 95 %.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from docs.results.animals6.data_set import CLASSES
from docs.results.animals6.study import SCORES
from pipeline.base.atomic import whole_file
from pipeline.report.differences import interval
from pipeline.scoring.metrics import mean_and_sd

PAGE, FIGURE = Path("docs/results/animals6.md"), SCORES.with_name("miou.svg")
BEGIN, END = "<!-- tables -->\n", "<!-- end of tables -->\n"
STYLES = {"strong": ("#33415c", "--"), "dual": ("#c05a00", "-"), "dual.self": ("#1f7a3d", ":")}
BASE = "strong"


def read_scores() -> pd.DataFrame:
    """scores.csv with one name for network and generator, as in params.yaml."""
    scores = pd.read_csv(SCORES, keep_default_na=False)
    own = scores.generator.isin(["", "dsrg"])
    scores["name"] = scores.network.where(own, scores.network + "." + scores.generator)
    return scores


def gaps(scores: pd.DataFrame, name: str, column: str = "miou") -> pd.Series:
    """A network minus `strong`, by masks and seed; where both were scored."""
    by_name = scores.set_index(["strong", "seed", "name"])[column].unstack()
    return (by_name[name] - by_name[BASE]).dropna()


def between(values: list[float]) -> str:
    """The interval of a mean, as text."""
    bounds = interval(values)
    return f"{bounds[0]:+.2f} to {bounds[1]:+.2f}" if bounds else "–"


def table(scores: pd.DataFrame) -> str:
    """Mean, deviation and difference to `strong` of each network at each number of masks."""
    lines = ["| masks | network | seeds | mIoU | sd | to `strong` | 95 % interval | seeds ahead |"]
    lines.append("|---:|---|---:|---:|---:|---:|---|---:|")
    for (masks, name), group in scores.groupby(["strong", "name"], sort=False):
        mean, deviation = mean_and_sd(group.miou.tolist())
        cells = [str(masks), f"`{name}`", str(len(group)), f"{mean:.2f}", f"{deviation:.2f}"]
        if name == BASE:
            cells += ["–", "–", "–"]
        else:
            apart = gaps(scores, name).loc[masks].tolist()
            ahead = sum(gap > 0 for gap in apart)
            cells += [f"{sum(apart) / len(apart):+.2f}", between(apart), f"{ahead} of {len(apart)}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def classes_table(scores: pd.DataFrame) -> str:
    """`dual` minus `strong` of each class, mean over seeds, at each number of masks."""
    columns = ["background", *CLASSES]
    means = pd.DataFrame({c: gaps(scores, "dual", c).groupby("strong").mean() for c in columns})
    lines = [f"| masks | {' | '.join(columns)} |", "|---:" * (1 + len(columns)) + "|"]
    for masks, row in means.iterrows():
        lines.append(f"| {masks} | {' | '.join(f'{value:+.1f}' for value in row)} |")
    return "\n".join(lines)


def draw(scores: pd.DataFrame) -> None:
    """The curve of mIoU over masks, with each seed as a point."""
    figure, axes = plt.subplots(figsize=(6.4, 4.0))
    for name, (colour, dash) in STYLES.items():
        of_name = scores[scores.name == name]
        means = of_name.groupby("strong").miou.mean()
        axes.plot(means.index, means, dash, color=colour, label=name)
        axes.plot(of_name.strong, of_name.miou, ".", color=colour, alpha=0.5)
    ticks = sorted(scores.strong.unique())
    axes.set(xscale="log", xlabel="photographs with masks", ylabel="mIoU of val, percent")
    axes.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(FIGURE, metadata={"Date": None}, bbox_inches="tight")


def main() -> None:
    """Rewrite the text between the two marks, and the figure."""
    scores = read_scores()
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    text = f"{table(scores)}\n\n`dual` minus `strong`, class by class:\n\n{classes_table(scores)}"
    with whole_file(PAGE) as part:
        part.write_text(f"{before}{BEGIN}\n{text}\n\n{END}{after}", "utf-8")
    draw(scores)


if __name__ == "__main__":
    main()
