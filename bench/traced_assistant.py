"""The assistant as `python -m nlu.serve` starts it, with the time of each part of a turn written down (Python 3.10)."""

import sys

import nlu.quiet  # noqa: F401
from bench import trace
from nlu import serve


def main() -> int:
    inner = serve.assistant

    def assistant(*args, **kwargs):
        app = inner(*args, **kwargs)  # Rasa is imported from here on
        from nlu import channel
        from nlu.tracker import HouseEndpoint

        trace.timed_async(channel.HouseChannel, "take", "channel", lambda _, self, agent, turn: turn.turn)
        trace.timed_async(channel, "_stand", "stand", lambda _, agent, turn: turn.turn)
        trace.timed_async(channel, "_read", "read", lambda _, agent, turn: turn.turn)
        trace.timed_async(channel, "_read_parts", "parts", lambda _, agent, turn: turn.turn)
        trace.timed_async(
            HouseEndpoint, "request", "call", lambda _, self, method="post", json=None, **more: json["tracker"]["slots"]["tickets"]["turn"]
        )  # fmt: skip
        return app

    serve.assistant = assistant
    status = serve.main([])
    trace.write()
    return status


if __name__ == "__main__":
    sys.exit(main())
