"""Put scores.csv into animals6.md as tables, and draw it: python -m docs.results.animals6.tables.

Differences are paired by seed, which is a draw of the masks, too; intervals are Student's, 95 %.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from docs.between_marks import put_between
from docs.results.animals6.data_set import CLASSES
from docs.results.animals6.study import SCORES
from pipeline.report.differences import BASE, difference, scores_to_strong
from pipeline.report.tables import between, signed
from pipeline.scoring.metrics import mean_and_sd

PAGE, FIGURE = Path("docs/results/animals6.md"), SCORES.with_name("miou.svg")
BEGIN, END = "<!-- tables -->\n", "<!-- end of tables -->\n"
STYLES = {"strong": ("#33415c", "--"), "dual": ("#c05a00", "-"), "dual.self": ("#1f7a3d", ":")}


def read_scores() -> pd.DataFrame:
    """scores.csv with one name for network and generator, as in params.yaml."""
    scores = pd.read_csv(SCORES, keep_default_na=False)
    own = scores.generator.isin(["", "dsrg"])
    scores["name"] = scores.network.where(own, scores.network + "." + scores.generator)
    return scores


def scored(scores: pd.DataFrame, column: str) -> dict[str, dict[int, float]]:
    """One column by network and seed."""
    return {
        str(name): dict(zip(group.seed, group[column], strict=True))
        for name, group in scores.groupby("name", sort=False)
    }


def table(scores: pd.DataFrame) -> str:
    """Mean, deviation and difference to `strong` of each network at each number of masks."""
    lines = ["| masks | network | seeds | mIoU | sd | to `strong` | 95 % interval | seeds ahead |"]
    lines.append("|---:|---|---:|---:|---:|---:|---|---:|")
    for masks, of_budget in scores.groupby("strong", sort=False):
        networks = scored(of_budget, "miou")
        gaps = {gap.name: gap for gap in scores_to_strong(networks)}
        for name, by_seed in networks.items():
            mean, deviation = mean_and_sd(list(by_seed.values()))
            cells = [str(masks), f"`{name}`", str(len(by_seed)), f"{mean:.2f}", f"{deviation:.2f}"]
            if name in gaps:
                gap, bounds = gaps[name], gaps[name].interval
                ahead = f"{gap.wins} of {len(gap.by_seed)}"
                cells += [signed(gap.mean), between(bounds) if bounds else "–", ahead]
            else:
                cells += ["–", "–", "–"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def classes_table(scores: pd.DataFrame) -> str:
    """`dual` minus `strong` of each class, mean over seeds, at each number of masks."""
    columns = ["background", *CLASSES]
    lines = [f"| masks | {' | '.join(columns)} |", "|---:" * (1 + len(columns)) + "|"]
    for masks, of_budget in scores.groupby("strong", sort=False):
        networks = [scored(of_budget, column) for column in columns]
        gaps = [difference("dual", each["dual"], each[BASE]) for each in networks]
        lines.append(f"| {masks} | {' | '.join(signed(gap.mean, 1) for gap in gaps)} |")
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
    text = f"{table(scores)}\n\n`dual` minus `strong`, class by class:\n\n{classes_table(scores)}"
    put_between(PAGE, BEGIN, END, f"{text}\n")
    draw(scores)


if __name__ == "__main__":
    main()
