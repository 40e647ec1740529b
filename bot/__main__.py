"""`python -m bot …`: run (the supervisor), house, migrate, seed [--demo], corrections, audit verify, telegram-webhook."""

from __future__ import annotations

import argparse
import sys

from sqlalchemy import Engine

from bot import settings as settings_
from bot.log import configure


def main(arguments: list[str] | None = None) -> int:
    """The exit code of a command."""
    parser = argparse.ArgumentParser(
        prog="python -m bot", description="Sawt: a ministry's voice-of-the-beneficiary desk"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start house and assistant, and start again what dies")
    commands.add_parser("house", help="the house alone: web, worker, the assistant's actions")
    commands.add_parser("migrate", help="bring the database to this version's schema")
    seed = commands.add_parser("seed", help="fill an empty database: the register and people to sign in as")
    seed.add_argument("--demo", action="store_true", help="and a made-up month of tickets, in development only")
    commands.add_parser("corrections", help="write what clerks put right into DATA_DIR, masked, to be reviewed")
    commands.add_parser("telegram-webhook", help="tell Telegram where this house is")
    audit = commands.add_parser("audit", help="is the history of tickets, and of who read them, as it was written?")
    audit.add_argument("deed", choices=["verify"])
    audit.add_argument(
        "--seen", default="", help="an end of the chain that an earlier run told: it must still be there"
    )
    given = parser.parse_args(arguments)
    try:
        settings = settings_.load()
    except settings_.SettingsInvalid as invalid:
        print("Sawt cannot start:", *(f"  - {p}" for p in invalid.problems), sep="\n", file=sys.stderr)
        return 2
    configure(settings.log_level)
    if given.command == "run":
        from bot.supervisor import run

        return run(settings)
    if given.command == "house":
        from bot.process import serve

        return serve(settings)
    if given.command == "telegram-webhook":
        return _telegram_webhook(settings)
    return (
        _demo(settings)
        if given.command == "seed" and given.demo
        else _database(given.command, settings, getattr(given, "seen", ""))
    )


def _demo(settings: settings_.Settings) -> int:
    from bot.demo.seed import seed
    from bot.storage.migrations import SchemaTooNew

    try:
        return seed(settings)
    except SchemaTooNew as newer:
        print(f"Sawt cannot start:\n  - {newer}", file=sys.stderr)
        return 2


def _telegram_webhook(settings: settings_.Settings) -> int:
    import asyncio

    from channels.contract import SendFailed
    from channels.telegram.provider import Telegram

    async def tell(url: str) -> None:
        telegram = Telegram(
            token=settings.telegram_bot_token, secret_token=settings.telegram_secret_token,
            api_base=settings.telegram_api_base,
        )  # fmt: skip
        try:
            await telegram.set_webhook(url)
        finally:
            await telegram.close()

    if settings.simulated or not settings.telegram_bot_token:
        print("TELEGRAM_BOT_TOKEN: is missing. @BotFather gives one.", file=sys.stderr)
        return 2
    url = f"{settings.public_url}/webhooks/telegram"
    try:
        asyncio.run(tell(url))
    except SendFailed as failed:
        print(f"Telegram did not take it: {failed}. Check TELEGRAM_BOT_TOKEN and the network.", file=sys.stderr)
        return 1
    print(f"Telegram sends its updates to {url}.")
    return 0


def _database(command: str, settings: settings_.Settings, seen: str = "") -> int:
    from bot import wiring
    from bot.process import seed_people
    from bot.storage.migrations import SchemaTooNew

    try:
        if command == "seed":
            seed_people(wiring.build(settings))
            return 0
        engine = wiring.database(settings)
        try:
            if command == "corrections":
                return _corrections(engine, settings)
            if command == "audit":
                return _audit(engine, settings, seen)
        finally:
            engine.dispose()
    except SchemaTooNew as newer:
        print(f"Sawt cannot start:\n  - {newer}", file=sys.stderr)
        return 2
    print("The database is at this version's schema.")
    return 0


def _audit(engine: Engine, settings: settings_.Settings, seen: str) -> int:
    """0 where everything is as it was sealed, 1 with the first broken link where it is not."""
    from bot.storage.crypto import Secrets
    from bot.storage.verifying import verify

    verdict = verify(engine, Secrets(settings.secret_key), seen)
    if verdict.broken:
        print(f"The chain is broken: {verdict.broken}.", file=sys.stderr)
        return 1
    n, m = verdict.sealed["entry"], verdict.sealed["audit"]
    print(f"{n} entries and {m} audit rows are as they were sealed; {verdict.unsealed} not sealed yet.")
    print(f"The chain ends with {verdict.head}: keep it elsewhere, and next time: audit verify --seen {verdict.head}")
    return 0


def _corrections(engine: Engine, settings: settings_.Settings) -> int:
    from bot.corrections import write

    path = settings.data_dir / "corrections.jsonl"
    count = write(engine, path)
    print(f"{count} corrections in {path}.")
    if count:
        print(f'Read them, write "ok": true or false into each line, then: make corrections FILE={path}')
    return 0


if __name__ == "__main__":
    sys.exit(main())
