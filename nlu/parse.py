"""Read messages from standard input, one a line, and write what the model reads in each as one JSON object a line.

    printf 'وين وصلت معاملتي؟\n' | python -m nlu.parse

A line break inside a message is written \\n, a backslash \\\\. Nothing but JSON goes to standard output. The model is
trained first if there is none for the present inputs.
"""

import contextlib
import json
import re
import sys
from collections.abc import Iterator

import nlu.quiet  # noqa: F401
from nlu.model import Reader, model_path
from nlu.without_tensorflow import is_neural, stand_in

KEYS = ("text", "intent", "category", "language", "services", "flags", "entities")
_ESCAPE = re.compile(r"\\([\\n])")


def messages(lines: Iterator[bytes]) -> Iterator[str]:
    """The messages of the lines; bytes that are no UTF-8 come out as U+FFFD, and nothing is left out."""
    for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\n").rstrip("\r")
        yield _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else "\\", text)


def main() -> None:
    with contextlib.redirect_stdout(sys.stderr):  # whatever libraries print
        path = model_path()
        if not path.exists():
            from nlu.train import train

            train()
        if not is_neural(path):
            stand_in()  # three seconds sooner
        reader = Reader(path)
        reader.read("السلام عليكم")  # the first reading of all is slow
    for result, milliseconds in reader.timed(messages(sys.stdin.buffer)):
        said = {key: result[key] for key in KEYS} | {"ms": round(milliseconds, 2)}
        # Lone surrogates cannot be written as UTF-8; JSON can say them in ASCII.
        line = json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        print(line, flush=True)


if __name__ == "__main__":
    main()
