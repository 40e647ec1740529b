"""Score the trained model on labelled messages: a table here, everything and every error in evaluation.json.

    python -m nlu.evaluate FILE.jsonl [FILE.jsonl …] [--record FIGURES.json]

A line is `{"text", "intent", "category" or null, "lang", "variety"}` as in labels.md. Category is scored where the line
has one, by what the category head reads, whatever intent was read. Confidence is scored by the expected calibration
error of the intent: how far, on average, it is from the truth.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import nlu.quiet  # noqa: F401
from nlu.model import Reader, model_path
from nlu.without_tensorflow import is_neural, stand_in

# Below this confidence the assistant asks instead of guessing.
THRESHOLD = 0.5
BINS = 15
OUT = Path("evaluation.json")


def read_labelled(paths: Iterable[Path]) -> list[dict]:
    found = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if not line.strip():
                continue
            try:
                labelled = json.loads(line)
                labelled["text"], labelled["intent"]
            except (ValueError, KeyError, TypeError) as error:
                raise SystemExit(f"{path}, line {number}: a labelled message is expected ({error!r}).") from error
            found.append(labelled | {"file": path.stem})
    if not found:
        raise SystemExit("no labelled message in " + ", ".join(map(str, paths)))
    return found


def accuracy(pairs: Sequence[tuple]) -> float | None:
    return sum(wanted == said for wanted, said in pairs) / len(pairs) if pairs else None


def macro_f1(pairs: Sequence[tuple]) -> float | None:
    """The mean over the labels that occur in what was wanted."""
    wanted, said = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    right = Counter(one for one, other in pairs if one == other)
    scores = [2 * right[label] / (wanted[label] + said[label]) for label in wanted]
    return sum(scores) / len(scores) if scores else None


def calibration_error(sure: Sequence[tuple[float, bool]]) -> float | None:
    """Expected calibration error over bins of equal width."""
    bins = defaultdict(list)
    for confidence, right in sure:
        bins[min(BINS - 1, int(confidence * BINS))].append((confidence, right))
    gaps = [abs(sum(c for c, _ in held) - sum(r for _, r in held)) for held in bins.values()]
    return sum(gaps) / len(sure) if sure else None


def score(rows: Sequence[tuple[dict, dict]]) -> dict:
    """The figures of some (wanted, said) rows."""
    intents = [(wanted["intent"], said["intent"]["name"]) for wanted, said in rows]
    categories = [
        (wanted["category"], (said["category_reading"] or {}).get("name"))
        for wanted, said in rows
        if wanted.get("category")
    ]
    languages = [(wanted["lang"], (said["language"] or {}).get("name")) for wanted, said in rows if wanted.get("lang")]
    sure = [(said["intent"]["confidence"], wanted["intent"] == said["intent"]["name"]) for wanted, said in rows]
    answered = [right for confidence, right in sure if confidence >= THRESHOLD]
    return {
        "n": len(rows),
        "intent": {"accuracy": accuracy(intents), "macro_f1": macro_f1(intents)},
        "category": {"n": len(categories), "accuracy": accuracy(categories), "macro_f1": macro_f1(categories)},
        "language": {"accuracy": accuracy(languages)},
        "calibration_error": calibration_error(sure),
        "threshold": THRESHOLD,
        "answered": len(answered) / len(rows),
        "accuracy_answered": sum(answered) / len(answered) if answered else None,
        "service": services(rows),
    }


def services(rows: Sequence[tuple[dict, dict]]) -> dict | None:
    """Of the lines that have a service: how often it is the first, or among the three; `none` is right where none is told."""
    told = [
        (wanted["service"], [one["id"] for one in said["services"]] or ["none"])
        for wanted, said in rows
        if wanted.get("service")
    ]
    ours = [(wanted, ids) for wanted, ids in told if wanted != "none"]
    if not ours:
        return None
    return {
        "n": len(told),
        "top1": accuracy([(wanted, ids[0]) for wanted, ids in told]),
        "top1_of_ours": accuracy([(wanted, ids[0]) for wanted, ids in ours]),
        "top3_of_ours": accuracy([(True, wanted in ids) for wanted, ids in ours]),
        "none": accuracy([(wanted, ids[0]) for wanted, ids in told if wanted == "none"]),
    }


def evaluate(labelled: list[dict], reader: Reader) -> dict:
    """All figures and errors of the model on labelled messages."""
    rows = list(zip(labelled, reader.read_all([line["text"] for line in labelled]), strict=True))
    by_variety, by_file = defaultdict(list), defaultdict(list)
    for wanted, said in rows:
        by_variety[wanted.get("variety") or "?"].append((wanted, said))
        by_file[wanted["file"]].append((wanted, said))
    errors = [
        {
            "text": wanted["text"],
            "file": wanted["file"],
            "variety": wanted.get("variety"),
            "wanted": {key: wanted.get(key) for key in ("intent", "category", "lang", "service")},
            "said": {key: said[key] for key in ("intent", "category", "language", "services")},
        }
        for wanted, said in rows
        if wanted["intent"] != said["intent"]["name"]
        or (wanted.get("category") and wanted["category"] != (said["category_reading"] or {}).get("name"))
        or (wanted.get("lang") and wanted["lang"] != (said["language"] or {}).get("name"))
        or (wanted.get("service") and wanted["service"] != (said["services"] or [{"id": "none"}])[0]["id"])
    ]
    return {
        **score(rows),
        "by_variety": {name: score(held) for name, held in sorted(by_variety.items())},
        "by_file": {name: score(held) for name, held in sorted(by_file.items())},
        "errors": errors,
    }


def table(result: dict) -> str:
    """The figures for a reader at a terminal."""
    head = (
        f"{'':18}{'n':>6}{'intent':>9}{'F1':>7}{'categ.':>9}{'F1':>7}{'lang':>8}{'ECE':>7}{'answered':>10}{'right':>8}"
    )
    lines = [head, "-" * len(head)]
    groups = [("all", result), *result["by_variety"].items()]
    if len(result["by_file"]) > 1:
        groups += [(f"{name}.jsonl", figures) for name, figures in result["by_file"].items()]
    for name, figures in groups:
        numbers = [
            (figures["intent"]["accuracy"], 9),
            (figures["intent"]["macro_f1"], 7),
            (figures["category"]["accuracy"], 9),
            (figures["category"]["macro_f1"], 7),
            (figures["language"]["accuracy"], 8),
            (figures["calibration_error"], 7),
            (figures["answered"], 10),
            (figures["accuracy_answered"], 8),
        ]
        cells = "".join(f"{'–' if number is None else format(number, '.3f'):>{width}}" for number, width in numbers)
        lines.append(f"{name:18}{figures['n']:>6}{cells}")
    lines.append(f"answered, right: share with confidence of {THRESHOLD} or more, and accuracy among these")
    if known := result["service"]:
        figures = (
            f"{name} {known[name]:.3f}" for name in ("top1", "top1_of_ours", "top3_of_ours", "none") if known[name]
        )
        lines.append(f"service ({known['n']} lines): {', '.join(figures)}")
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("files", nargs="+", type=Path)
    arguments.add_argument("--record", type=Path, help="write the figures that the quality gate compares with")
    given = arguments.parse_args()
    labelled = read_labelled(given.files)
    path = model_path()
    if not path.exists():
        from nlu.train import train

        train()
    if not is_neural(path):
        stand_in()
    result = evaluate(labelled, Reader(path))
    if given.record:
        parts = ("by_variety", "by_file", "errors")
        overall = {name: figure for name, figure in result.items() if name not in parts}
        figures = {"all": overall, "by_file": result["by_file"]}
        given.record.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    OUT.write_text(json.dumps({"model": path.name, **result}, ensure_ascii=False, indent=1), encoding="utf-8")
    print(table(result))
    print(f"{len(result['errors'])} errors in {OUT}")


if __name__ == "__main__":
    main()
