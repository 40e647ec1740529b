"""The settings, from the environment and `.env`. Whatever is wrong is named at once, with the fix."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ROOT = Path(__file__).parent.parent
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MADE = {"secret_key": 48, "assistant_secret": 32}
"""Secrets that a start on loopback makes for itself once, with the bytes of each."""
_MAKE_ONE = "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_BOT_TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{20,}")
_ANY_TOKEN = re.compile(r"\d+:\S+")
_HOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_ORIGIN = re.compile(r"https?://[^/?#@*\s]+", re.ASCII | re.IGNORECASE)


class SettingsInvalid(Exception):
    """The start is refused. `problems` names every setting that is wrong, and what to write instead."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """What an operator can set. The names are those of the environment, in capitals; docs/settings.md lists them."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    rasa_port: int = Field(5005, ge=1, le=65535)
    actions_port: int = Field(5055, ge=1, le=65535)
    data_dir: Path = Path(".data")
    database_url: str = ""
    public_url: str = ""
    allowed_origins: Annotated[list[str], NoDecode] = []
    secret_key: str = ""
    assistant_secret: str = ""
    country: Literal["SA", "JO"] = "SA"
    gather_seconds: float = Field(1.5, ge=0, le=10)
    turns: int = Field(3, ge=1, le=32)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    seed_password: str = ""
    api_token: str = ""
    twilio_account_sid: str = ""
    twilio_auth_token: str = ""
    twilio_auth_token_second: str = ""
    twilio_api_base: str = ""
    twilio_whatsapp_from: str = ""
    twilio_whatsapp_rate: float = Field(80, gt=0, le=10_000)
    twilio_sms_from: str = ""
    twilio_sms_rate: float = Field(1, gt=0, le=10_000)
    telegram_bot_token: str = ""
    telegram_secret_token: str = ""
    telegram_api_base: str = ""
    templates: Path = ROOT / "data" / "templates.yml"
    sms_countries: Annotated[list[str], NoDecode] = ["SA", "JO"]
    sms_one_way: Annotated[list[str], NoDecode] = ["SA", "JO"]
    sms_price: float = Field(0.06, ge=0)
    sms_daily_cap: float = Field(50, ge=0)
    scanner: str = ""
    undo_seconds: float = Field(10, ge=0, le=60)
    simulated: bool = False

    @field_validator("allowed_origins", "sms_countries", "sms_one_way", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [o.strip().rstrip("/") for o in value.split(",") if o.strip()] if isinstance(value, str) else value

    @property
    def on_loopback(self) -> bool:
        """A development start: nothing outside this machine can reach it, so it needs no secrets from anybody."""
        return self.host in LOOPBACK and (_host(self.public_url) or "127.0.0.1") in LOOPBACK


def load(**given: Any) -> Settings:
    """The settings; raises SettingsInvalid with all problems. On loopback missing secrets are made under DATA_DIR."""
    settings, problems = _read(given)
    if not settings.public_url:
        host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host
        settings.public_url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    settings.public_url = settings.public_url.rstrip("/")
    problems += _reachable(settings)
    problems += _origins(settings)
    problems += _distinct_ports(settings)
    problems += _database(settings)
    problems += _data_dir(settings)
    problems += _providers(settings)
    if not settings.on_loopback:
        problems += _for_the_world(settings)
    if not problems and settings.on_loopback:
        problems += _make_secrets(settings)
    if problems:
        raise SettingsInvalid(problems)
    settings.simulated = settings.on_loopback and not settings.twilio_account_sid and not settings.telegram_bot_token
    if settings.simulated:
        _play(settings)
    if not settings.database_url:
        settings.database_url = f"sqlite:///{(settings.data_dir / 'sawt.db').resolve()}"
    return settings


def _read(given: dict[str, Any]) -> tuple[Settings, list[str]]:
    """The settings, and a sentence for each that cannot be read: it stands at its default while the others are judged."""
    try:
        return Settings(**given), []
    except UnicodeDecodeError as error:
        raise SettingsInvalid([".env: is no UTF-8 text. Save it as UTF-8."]) from error
    except ValidationError as error:
        wrong = error.errors()
    named = {str(e["loc"][0]).lower() for e in wrong if e["loc"]} & set(Settings.model_fields)
    defaults = {name: Settings.model_fields[name].default for name in named}
    return Settings(**given | defaults), [_problem(e) for e in wrong]


def _problem(error: Any) -> str:
    name = str(error["loc"][0]).upper() if error["loc"] else "settings"
    return f"{name}: {error['msg'].lower()}, not {error.get('input')!r}. Correct it in the environment or in .env."


def _host(url: str) -> str | None:
    """The host of an address; None where it is no address."""
    try:
        parts = urlsplit(url)
        return parts.hostname if parts.port != 0 else None
    except ValueError:
        return None


def _reachable(settings: Settings) -> list[str]:
    url = settings.public_url
    if not _host(url) or urlsplit(url).scheme not in ("http", "https"):
        return [f"PUBLIC_URL: {url!r} is no address. Write for example https://sawt.example.gov.sa"]
    return []


def _origins(settings: Settings) -> list[str]:
    wrong = [o for o in settings.allowed_origins if not _host(o) or not _ORIGIN.fullmatch(o)]
    example = (
        "Write scheme and host of each page, for example https://www.example.gov.sa,https://eservices.example.gov.sa"
    )
    return [f"ALLOWED_ORIGINS: {each!r} is no origin. {example}" for each in wrong]


def _distinct_ports(settings: Settings) -> list[str]:
    ports = {"PORT": settings.port, "RASA_PORT": settings.rasa_port, "ACTIONS_PORT": settings.actions_port}
    if len(set(ports.values())) < len(ports):
        return [f"{', '.join(f'{k}={v}' for k, v in ports.items())}: three different ports are needed."]
    return []


def _database(settings: Settings) -> list[str]:
    """The address itself is not repeated: there may be a password in it."""
    url = settings.database_url
    scheme, _, rest = url.partition("://")
    if not url or (re.fullmatch(r"postgresql(\+psycopg)?", scheme) and rest):
        return []
    if re.fullmatch(r"sqlite(\+pysqlite)?", scheme) and rest.strip("/") and ":memory:" not in rest:
        return []
    return ["DATABASE_URL: is none of ours. Write postgresql://user:password@host/name or sqlite:////path/to/file"]


def _providers(settings: Settings) -> list[str]:
    """What the accounts at providers lack. No secret is repeated."""
    problems = []
    if settings.twilio_account_sid:
        if not settings.twilio_api_base and not _SID.fullmatch(settings.twilio_account_sid):
            problems.append(
                "TWILIO_ACCOUNT_SID: is none. It is AC and 32 digits or letters a to f, as the console shows it."
            )
        if not settings.twilio_auth_token:
            problems.append("TWILIO_AUTH_TOKEN: is missing. Take it from Twilio's console, or take the account out.")
        if not settings.twilio_whatsapp_from and not settings.twilio_sms_from:
            problems.append(
                "TWILIO_WHATSAPP_FROM, TWILIO_SMS_FROM: one of the two is needed, for example +14155238886."
            )
    elif settings.twilio_auth_token:
        problems.append(
            "TWILIO_ACCOUNT_SID: is missing, but TWILIO_AUTH_TOKEN is there. Write it, or take the token out."
        )
    token, real = settings.telegram_bot_token, not settings.telegram_api_base
    if token and not (_BOT_TOKEN if real else _ANY_TOKEN).fullmatch(token):
        problems.append("TELEGRAM_BOT_TOKEN: is none. It is digits, a colon and letters, as @BotFather shows it.")
    secret = settings.telegram_secret_token
    if token and (not _HOOK_SECRET.fullmatch(secret) or (len(secret) < 16 and not settings.on_loopback)):
        problems.append(f"TELEGRAM_SECRET_TOKEN: must be 16 to 256 letters, digits, _ and -. {_MAKE_ONE}")
    for name in ("twilio_whatsapp_from", "twilio_sms_from"):
        setattr(settings, name, getattr(settings, name).strip().removeprefix("whatsapp:"))
    for name in ("twilio_api_base", "telegram_api_base"):
        base = getattr(settings, name)
        if base and (not _host(base) or urlsplit(base).scheme not in ("http", "https")):
            problems.append(f"{name.upper()}: {base!r} is no address. Leave it empty for the real provider.")
        setattr(settings, name, base.rstrip("/"))
    if settings.scanner and not re.fullmatch(r"unix:/.+|tcp:[^:\s]+:\d{1,5}", settings.scanner):
        problems.append("SCANNER: is no address of clamd. Write unix:/run/clamav/clamd.ctl or tcp:127.0.0.1:3310")
    for name in ("sms_countries", "sms_one_way"):
        wrong = [c for c in getattr(settings, name) if not re.fullmatch(r"[A-Z]{2}", c)]
        problems += [f"{name.upper()}: {c!r} is no country. Write two capital letters each: SA,JO" for c in wrong]
    return problems


def _play(settings: Settings) -> None:
    """A development start without an account: the local provider plays Twilio and Telegram."""

    def drawn(what: str) -> str:
        return hashlib.sha256(f"{what} {settings.secret_key}".encode()).hexdigest()

    base = f"http://{'127.0.0.1' if settings.host == '0.0.0.0' else settings.host}:{settings.port}/simulator"
    settings.twilio_account_sid, settings.twilio_auth_token = f"AC{drawn('account')[:32]}", drawn("auth")[:32]
    settings.twilio_whatsapp_from, settings.twilio_sms_from = "+15005550006", "+15005550009"
    settings.telegram_bot_token, settings.telegram_secret_token = f"1000001:{drawn('bot')[:35]}", drawn("hook")
    settings.twilio_api_base = settings.telegram_api_base = base
    settings.twilio_sms_rate = 20


def _data_dir(settings: Settings) -> list[str]:
    folder = settings.data_dir.absolute()
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return []
    return [f"DATA_DIR: {nearest} is no folder that can be written to. Name another one, or correct its rights."]


def _for_the_world(settings: Settings) -> list[str]:
    """What a start that others can reach must have, and must not have."""
    problems = []
    if _host(settings.public_url) and urlsplit(settings.public_url).scheme != "https":
        problems.append(
            "PUBLIC_URL: must begin with https:// where others can reach the house. Put TLS in front of it."
        )
    for name in MADE:
        value = getattr(settings, name)
        if len(value) < 32 or len(set(value)) < 10:
            what = "is missing" if not value else "is too weak (32 characters or more, random)"
            problems.append(f"{name.upper()}: {what}. {_MAKE_ONE}")
    if settings.secret_key and settings.secret_key == settings.assistant_secret:
        problems.append(f"ASSISTANT_SECRET: is the SECRET_KEY, which the assistant must not have. {_MAKE_ONE}")
    for name in ("seed_password", "api_token"):
        if getattr(settings, name):
            problems.append(
                f"{name.upper()}: only for a development start on loopback. Take it out of the environment."
            )
    if settings.log_level == "DEBUG":
        problems.append("LOG_LEVEL: DEBUG is for a development start on loopback. Write INFO.")
    if os.environ.get("FAULT"):
        problems.append("FAULT: ends the house on purpose, for tests. Take it out of the environment.")
    env = Path(".env")
    if env.exists() and env.stat().st_mode & 0o077:
        problems.append(".env: others on this machine can read it. chmod 600 .env")
    return problems


def _make_secrets(settings: Settings) -> list[str]:
    """Secrets of this installation: made once, kept under DATA_DIR for its owner alone. A sentence where it cannot be."""
    path = settings.data_dir / "secrets.json"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = _kept_secrets(path)
        missing = {
            n: secrets.token_urlsafe(size) for n, size in MADE.items() if not getattr(settings, n) and n not in kept
        }
        if missing:
            _keep(path, kept | missing)
    except OSError as error:
        return [f"DATA_DIR: {path} cannot be used ({error.strerror}). Name another folder, or correct its rights."]
    except ValueError:
        return [f"{path}: holds no secrets that can be read. Restore it: what was encrypted with them needs them."]
    for name in MADE:
        if not getattr(settings, name):
            setattr(settings, name, (kept | missing)[name])
    return []


def _kept_secrets(path: Path) -> dict[str, str]:
    """What was made at an earlier start, readable for its owner alone from now on; ValueError where it is something else."""
    if not path.exists():
        return {}
    path.chmod(0o600)
    kept = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(kept, dict) or not all(isinstance(kept[n], str) and kept[n] for n in MADE if n in kept):
        raise ValueError(path)
    return kept


def _keep(path: Path, made: dict[str, str]) -> None:
    """The file holds these, all of them or as before: a power cut in between costs no key."""
    whole = path.with_suffix(".new")
    whole.unlink(missing_ok=True)
    with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(made, file)
        file.flush()
        os.fsync(file.fileno())
    whole.replace(path)
