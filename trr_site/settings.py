"""All settings, from the environment alone (a `.env` beside manage.py is read if it is there).

A malformed value never raises here: it is kept in ENVIRONMENT_ERRORS, one line each and without the
value, so that `manage.py check` and the command that needs it can name it and end with exit code 2.
"""

import io
import os
import re
import secrets
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import environ

from trr_site.admin_theme import UNFOLD as UNFOLD
from trr_site.spreadsheets import ADDRESS

T = TypeVar("T")

BASE_DIR = Path(__file__).resolve().parent.parent

ENVIRONMENT_ERRORS: list[str] = []
ENV_FILE = os.environ.get("ENV_FILE", str(BASE_DIR / ".env"))  # empty: read no file
ENV_LINE = re.compile(r"\s*(?:#.*|(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*))?", re.DOTALL)


def read_env_file(path: Path) -> None:
    """Sets what the environment does not set yet. A malformed line is named, never shown: it may hold a secret."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        ENVIRONMENT_ERRORS.append(f"ENV_FILE {path} is not UTF-8 text: nothing of it was read")
        return
    except OSError as error:
        ENVIRONMENT_ERRORS.append(f"ENV_FILE {path} can't be read: {error.strerror}")
        return
    good: list[str] = []  # without blanks around the parts: environ prints any other line, secret and all
    for number, line in enumerate(lines, 1):
        match = ENV_LINE.fullmatch(line)
        if match is None:
            ENVIRONMENT_ERRORS.append(f"ENV_FILE {path} is malformed in line {number}: expected NAME=value")
        elif match[1]:
            good.append(f"{match[1]}={match[2].strip()}")
    environ.Env.read_env(io.StringIO("\n".join(good)))


if ENV_FILE and Path(ENV_FILE).is_file():
    read_env_file(Path(ENV_FILE))
elif os.environ.get("ENV_FILE"):
    ENVIRONMENT_ERRORS.append(f"ENV_FILE {ENV_FILE} is not there: nothing was read")

ENVIRONMENT_NAMES: set[str] = {
    "ENV_FILE",
    "TRR_PROCESS",
    "TRR_WORKER",
    "TRR_VERSION",
    "DEMO",
}  # every name that is asked for


def read(name: str, cast: Callable[[str], T], default: T, expected: str = "") -> T:
    """The value of an environment variable, or `default` where it is unset, blank or malformed."""
    ENVIRONMENT_NAMES.add(name)
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        return cast(text)
    except (ValueError, KeyError, environ.ImproperlyConfigured):
        ENVIRONMENT_ERRORS.append(f"{name} is malformed: expected {expected}")
        return default


def to_bool(text: str) -> bool:
    return {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}[
        text.lower()
    ]


def to_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def to_http_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    if "@" in parts.netloc:  # libraries quote addresses in their errors
        raise ValueError
    _ = parts.port  # raises ValueError when it is not a number
    return text.rstrip("/")


def to_redis_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"redis", "rediss", "unix"} or not (parts.hostname or parts.path):
        raise ValueError
    _ = parts.port
    return text


def to_positive_int(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def to_count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def to_origins(text: str) -> list[str]:
    """Scheme, host and port alone, as browsers send it."""
    origins = [to_http_url(part) for part in to_list(text)]
    if any(urlsplit(origin).path for origin in origins):
        raise ValueError
    return origins


def to_positive_float(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


def to_email(text: str) -> str:
    if not re.fullmatch(r"[^\s@,<>]+@[^\s@,<>]+", text):
        raise ValueError
    return text


def to_emails(text: str) -> list[str]:
    return [to_email(part) for part in to_list(text)]


def to_email_server(text: str) -> dict[str, Any]:
    parts = urlsplit(text)
    if parts.scheme not in {"smtp", "smtps", "smtp+tls", "smtp+ssl"} or not parts.hostname:
        raise ValueError
    _ = parts.port
    return dict(environ.Env.email_url_config(text))


def to_webhook(text: str) -> str:
    """Its query may hold a token."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        raise ValueError
    _ = parts.port
    return text


def to_log_format(text: str) -> str:
    if text not in {"json", "line"}:
        raise ValueError
    return text


def to_key_file(text: str) -> str:
    if "{" in text or "\n" in text:  # the key itself, where its file's path belongs
        raise ValueError
    return text


def to_spreadsheet_id(text: str) -> str:
    """The id, also out of the address that a browser shows."""
    match = ADDRESS.fullmatch(text) or re.fullmatch(r"([A-Za-z0-9_-]+)", text)
    if match is None:
        raise ValueError
    return match[1]


def to_database(text: str) -> dict[str, Any]:
    parts = urlsplit(text)
    if parts.scheme not in {"sqlite", "postgres", "postgresql"} or not parts.path.strip("/"):
        raise ValueError
    _ = parts.port
    return dict(environ.Env.db_url_config(text))


# --- Django ------------------------------------------------------------------------------------

DEBUG = read("DEBUG", to_bool, False, "true or false")
SECRET_KEY = read("SECRET_KEY", str, "")
SECRET_KEY_IS_SET = bool(SECRET_KEY) or DEBUG
if not SECRET_KEY:
    # Never a key that can be known: sessions then end with the process, and `check` says why.
    SECRET_KEY = "insecure-development-key-of-no-use-elsewhere" if DEBUG else secrets.token_urlsafe(50)
ALLOWED_HOSTS = read("ALLOWED_HOSTS", to_list, ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = read("CSRF_TRUSTED_ORIGINS", to_list, [])
SECURE_SSL_REDIRECT = read("SECURE_SSL_REDIRECT", to_bool, False, "true or false")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT
# What is asked from inside the machine, where nothing speaks HTTPS: by health checks and Prometheus.
SECURE_REDIRECT_EXEMPT = [r"^health$", r"^health/ready$", r"^metrics$"]
# For how long a browser that came by HTTPS once takes nothing else: not a promise to make for longer than it is meant.
SECURE_HSTS_SECONDS = read(
    "SECURE_HSTS_SECONDS", to_count, 30 * 24 * 3600 if SECURE_SSL_REDIRECT else 0, "a whole number; 0 is never"
)
# Of HSTS for sub-domains, and in browsers' own lists: who owns the domain decides that, not one site of it.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

INSTALLED_APPS = [
    "daphne",  # first: its runserver speaks ASGI
    "unfold",  # before admin, whose templates it replaces
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_q",
    "import_export",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "channels",
    "axes",
    "catalog",
    "ingestion",
    "exports",
]
if os.environ.get("DEMO") == "true":
    INSTALLED_APPS.append("demo")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "trr_site.csp.content_security_policy",
    "corsheaders.middleware.CorsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # last: it turns a locked-out login into its answer
]

ROOT_URLCONF = "trr_site.urls"
ASGI_APPLICATION = "trr_site.asgi.application"
WSGI_APPLICATION = "trr_site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: it refuses whoever is locked out
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# --- Admin -------------------------------------------------------------------------------------

LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"  # of a login page that was opened by itself
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # an attacker elsewhere does not lock an editor out
AXES_CLIENT_IP_CALLABLE = "catalog.access.address_of"
AXES_USERNAME_CALLABLE = "catalog.access.username_of"
AXES_LOCKOUT_CALLABLE = "catalog.access.lockout_response"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # the page says for how long: trying again must not prolong it
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True  # logins are in our own history
AXES_ENABLE_ADMIN = False  # catalog.admin.access has its own page of them
AXES_VERBOSE = False

# --- Database ----------------------------------------------------------------------------------

DATABASE: dict[str, Any] = read(
    "DATABASE_URL",
    to_database,
    {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"},
    "sqlite:////absolute/path or postgres://user:password@host:port/name",
)
if DATABASE["ENGINE"].endswith("sqlite3"):
    # WAL and IMMEDIATE let web, worker and commands share one file: without them every second
    # read-then-write transaction of four processes ends with "database is locked".
    DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,  # seconds
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA foreign_keys=ON;"
        "PRAGMA cache_size=-20000;PRAGMA journal_size_limit=67108864;",
    }
else:
    DATABASE["OPTIONS"] = {"connect_timeout": 5} | DATABASE.get("OPTIONS", {})  # the URL's, like sslmode
    if os.environ.get("TRR_PROCESS") == "web":  # set by asgi.py and wsgi.py
        DATABASE["OPTIONS"] |= {"pool": {"min_size": 2, "max_size": 8, "timeout": 10}}
    else:
        # Commands and the worker: a pool opened before the cluster forks would be shared by its children, and without
        # a lasting connection the queue would reconnect at every look.
        DATABASE |= {"CONN_MAX_AGE": 300, "CONN_HEALTH_CHECKS": True}
DATABASES = {"default": DATABASE}

REDIS_URL = read("REDIS_URL", to_redis_url, "", "redis://host:port/number")

# --- API ---------------------------------------------------------------------------------------

# The API is open for reading, and asks who writes.
API_PUBLIC = read("API_PUBLIC", to_bool, True, "true or false")
API_REQUESTS_PER_MINUTE = read("API_REQUESTS_PER_MINUTE", to_count, 1200, "a whole number; 0 is no limit")
API_MEMORY = 64 * 1024 * 1024  # bytes of answers that each web process keeps
TRUSTED_PROXIES = read("TRUSTED_PROXIES", to_count, 0, "a whole number")
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # what the nearest of them says of the client
CORS_ALLOWED_ORIGINS: list[str] = read("CORS_ALLOW_ORIGINS", to_origins, [], "https://host, several with commas")
CORS_ALLOW_METHODS = ["GET", "HEAD", "OPTIONS", "PATCH"]
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "if-match", "if-none-match"]
CORS_EXPOSE_HEADERS = ["ETag", "Last-Modified", "Location", "Retry-After"]
CORS_URLS_REGEX = r"^/api/"
DEFAULT_REGION = "US"  # whose providers a show's `streaming_providers` are
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "catalog.api.access.BearerToken",  # first: it says with 401 how to come in
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["catalog.api.access.MayRead"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["catalog.api.parameters.Json"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["catalog.api.throttle.AddressThrottle"],
    "EXCEPTION_HANDLER": "catalog.api.errors.in_words",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "TRR",
    "DESCRIPTION": "Reality-TV shows, who makes them, and where to watch them.",
    "VERSION": "1",
    "OAS_VERSION": "3.0.3",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False},
    "COMPONENT_SPLIT_REQUEST": True,
}
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=90),
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_PREFIX": "trr_",  # so that scanners of leaked secrets can know one
    "AUTO_REFRESH": False,
}

# --- WebSocket -----------------------------------------------------------------------------------

# The bell alone travels by the channel layer: what it rings for stands in the rows of changes.
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL], "prefix": "trr", "capacity": 1000, "expiry": 10},
        }
    }
WS_POLL_SECONDS = read("WS_POLL_SECONDS", to_positive_float, 0.5, "a number above 0")  # where no bell is heard
WS_HEARTBEAT_SECONDS = read("WS_HEARTBEAT_SECONDS", to_positive_float, 30.0, "a number above 0")
WS_LOGIN_SECONDS = read("WS_LOGIN_SECONDS", to_positive_float, 5.0, "a number above 0")  # to send a token
WS_RECHECK_SECONDS = read("WS_RECHECK_SECONDS", to_positive_float, 60.0, "a number above 0")  # of logins and rights
WS_MAX_CONNECTIONS = read("WS_MAX_CONNECTIONS", to_positive_int, 5000, "a whole number above 0")  # of one process
WS_MAX_MESSAGE = 64 * 1024  # bytes of one message from a client
WS_MESSAGES_PER_SECOND, WS_MESSAGES_AT_ONCE = 10.0, 20
WS_QUEUED_FRAMES, WS_QUEUED_BYTES = 1000, 1024 * 1024  # wait for one client at most; then it is too slow

# --- Retention -----------------------------------------------------------------------------------


def days(name: str, default: int) -> timedelta:
    return timedelta(days=read(name, to_positive_int, default, "a number of days above 0"))


# `prune_history` drops what is older. Of a change of figures alone (votes, popularity) a later one says as much.
HISTORY_KEPT = days("HISTORY_DAYS", 365)
VOLATILE_HISTORY_KEPT = days("VOLATILE_HISTORY_DAYS", 30)
RUNS_KEPT = days("RUNS_DAYS", 180)
TASKS_KEPT = days("TASKS_DAYS", 30)
RAW_REPLIES_KEPT = days("RAW_REPLIES_DAYS", 180)  # TMDb's terms: no longer than six months
LOGO_GRACE = days("LOGO_GRACE_DAYS", 7)  # `prune_logos` leaves younger files alone

# --- Files -------------------------------------------------------------------------------------

STATIC_URL = "static/"
COLLECTED = BASE_DIR / "static_root"  # where `collectstatic` puts them, hashed and compressed
STATIC_ROOT = COLLECTED if COLLECTED.is_dir() else None  # whitenoise complains of a folder that is not there
WHITENOISE_USE_FINDERS = True
MEDIA_URL = "/media/"
MEDIA_ROOT = read("MEDIA_ROOT", Path, BASE_DIR / "media")

AWS_S3_BUCKET = read("AWS_S3_BUCKET", str, "")
AWS_REGION = read("AWS_REGION", str, "us-east-1")
AWS_S3_ENDPOINT_URL = read("AWS_S3_ENDPOINT_URL", to_http_url, "", "an http(s) URL")
AWS_CDN_BASE_URL = read("AWS_CDN_BASE_URL", to_http_url, "", "an http(s) URL")
AWS_ACCESS_KEY_ID = read("AWS_ACCESS_KEY_ID", str, "")
AWS_SECRET_ACCESS_KEY = read("AWS_SECRET_ACCESS_KEY", str, "")

LOGO_CACHE_CONTROL = "public, max-age=31536000, immutable"  # a key holds the hash of its bytes
if AWS_S3_BUCKET:
    from botocore.config import Config  # a tenth of a second that others save

    LOGO_STORAGE: dict[str, Any] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": AWS_S3_BUCKET,
            "region_name": AWS_REGION,
            "endpoint_url": AWS_S3_ENDPOINT_URL or None,
            "access_key": AWS_ACCESS_KEY_ID or None,  # none: boto3's own chain (role, profile)
            "secret_key": AWS_SECRET_ACCESS_KEY or None,
            "object_parameters": {"CacheControl": LOGO_CACHE_CONTROL},
            "querystring_auth": False,
            "file_overwrite": True,  # keys are content-addressed; False would cost two HEADs each
            "default_acl": None,
            "client_config": Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 3}),
        },
    }
else:
    LOGO_STORAGE = {"BACKEND": "catalog.storage.WholeFileStorage", "OPTIONS": {"allow_overwrite": True}}
STORAGES = {
    "default": LOGO_STORAGE,
    "staticfiles": {"BACKEND": "trr_site.static_files.CollectedStorage", "OPTIONS": {"location": COLLECTED}},
}

# --- TMDb --------------------------------------------------------------------------------------

TMDB_API_KEY = read("TMDB_API_KEY", str, "")
TMDB_BEARER_TOKEN = read("TMDB_BEARER_TOKEN", str, "")
TMDB_API_URL = read("TMDB_API_URL", to_http_url, "https://api.themoviedb.org/3", "an http(s) URL")
TMDB_IMAGE_URL = read("TMDB_IMAGE_URL", to_http_url, "https://image.tmdb.org/t/p", "an http(s) URL")
TMDB_REQUESTS_PER_SECOND = read("TMDB_REQUESTS_PER_SECOND", to_positive_float, 40.0, "a number above 0")
TMDB_CONNECTIONS = read("TMDB_CONNECTIONS", to_positive_int, 16, "a whole number above 0")
TMDB_BACKOFF = 0.5  # seconds before the first retry; each further wait is twice as long, with jitter

# --- Sync --------------------------------------------------------------------------------------

# A fact older than this is fetched again, even if TMDb's list of changes does not name its show:
# where to watch, votes and popularity may not be in that list.
SYNC_MAX_AGE = {
    "details": timedelta(days=7),
    "entities": timedelta(days=7),
    "watch_providers": timedelta(days=2),
}
SYNC_MAX_AGE_RETURNING = timedelta(days=3)  # details of a show that is still being made
SYNC_GONE_RETRY = (timedelta(days=1), timedelta(days=7), timedelta(days=30))  # after the 1st, 2nd, later 404
SYNC_GUARD_SHARE = 0.3  # of the shows seen: a run that would empty more stops before it does

# --- Google Sheets -----------------------------------------------------------------------------

GOOGLE_APPLICATION_CREDENTIALS = read(
    "GOOGLE_APPLICATION_CREDENTIALS", to_key_file, "", "the path of a service account's key file"
)
SPREADSHEET_ID = read("SPREADSHEET_ID", to_spreadsheet_id, "", "the id in the workbook's address, behind /d/")
GOOGLE_SHEETS_API_URL = read("GOOGLE_SHEETS_API_URL", to_http_url, "https://sheets.googleapis.com", "an http(s) URL")
# https://developers.google.com/workspace/sheets/api/limits: of one account, each of reads and writes
SHEETS_CALLS_PER_MINUTE = 60
SHEETS_BACKOFF = 1.0  # seconds before the first retry; each further wait is twice as long, with jitter

# --- Exports -----------------------------------------------------------------------------------

EXPORT_SNAPSHOTS = 20  # of each tab: what was published can be published again
EXPORT_GUARD_SHARE = 0.3  # of a tab's rows: an export that would take more away asks first
ALERT_EXPORT_AGE = timedelta(days=2)  # since a published tab was last found to be, or made, what the catalogue says

# --- Worker ------------------------------------------------------------------------------------

Q_CLUSTER: dict[str, Any] = {
    "name": "trr",
    "workers": read("WORKER_PROCESSES", to_positive_int, 2, "a whole number above 0"),
    "timeout": 6 * 3600,  # seconds; a revert of everything
    "retry": 6 * 3600 + 600,  # must be above the timeout; our brokers deliver again when a lease ends
    "max_attempts": 3,
    "poll": 0.5,
    "bulk": 1,
    "queue_limit": 1,  # what a cluster has taken and not begun others can't do
    "save_limit": 0,  # above 0 it locks every finished task's row at each task
    "recycle": 500,
    "catch_up": False,
    "label": "Tasks",
}
if REDIS_URL:
    Q_CLUSTER |= {"redis": REDIS_URL, "broker_class": "ingestion.brokers.RedisBroker"}
else:
    Q_CLUSTER |= {"orm": "default", "broker_class": "ingestion.brokers.DatabaseBroker"}

# --- Alerts ------------------------------------------------------------------------------------

SITE_URL = read("SITE_URL", to_http_url, "", "an http(s) URL")  # what links in messages begin with
ALERT_EMAILS: list[str] = read("ALERT_EMAILS", to_emails, [], "addresses, several with commas")
ALERT_FROM = read("ALERT_FROM", to_email, "trr@localhost", "an address")
ALERT_WEBHOOK_URL = read("ALERT_WEBHOOK_URL", to_webhook, "", "an http(s) URL")
EMAIL: dict[str, Any] = read("EMAIL_URL", to_email_server, {}, "smtp+tls://user:password@host:587")
EMAIL_BACKEND = EMAIL.get("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
EMAIL_HOST, EMAIL_PORT = (
    EMAIL.get("EMAIL_HOST", "localhost"),
    EMAIL.get("EMAIL_PORT") or (465 if EMAIL.get("EMAIL_USE_SSL") else 587 if EMAIL.get("EMAIL_USE_TLS") else 25),
)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = EMAIL.get("EMAIL_HOST_USER", ""), EMAIL.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS, EMAIL_USE_SSL = EMAIL.get("EMAIL_USE_TLS", False), EMAIL.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 15  # seconds
# Data of which so many shows are older than these limits is a problem that operators are told of.
ALERT_AGE = {"details": timedelta(days=10), "entities": timedelta(days=10), "watch_providers": timedelta(days=4)}
ALERT_AGE_SHARE = 0.1
ALERT_QUEUE_WAIT = timedelta(minutes=10)  # in which nothing of a queue was begun

# --- Metrics -----------------------------------------------------------------------------------

METRICS_TOKEN = read("METRICS_TOKEN", str, "")  # empty: /metrics answers this machine and staff alone

# --- Logs --------------------------------------------------------------------------------------

LOG_FORMAT = read("LOG_FORMAT", to_log_format, "line" if DEBUG or sys.stderr.isatty() else "json", "json or line")


def path_of(url: str) -> str:
    """Path and query, where they are long enough to hold a token: a short one is a word like any other."""
    path = urlsplit(url)._replace(scheme="", netloc="").geturl().strip("/")
    return path if len(path) >= 16 else ""


# What must never be printed; trr_site.logs takes it out of every line.
SECRETS: list[str] = [
    str(value)
    for value in (
        SECRET_KEY,
        TMDB_API_KEY,
        TMDB_BEARER_TOKEN,
        AWS_SECRET_ACCESS_KEY,
        DATABASE.get("PASSWORD"),
        EMAIL_HOST_PASSWORD,
        METRICS_TOKEN,
        ALERT_WEBHOOK_URL,  # who knows it can post there
        path_of(ALERT_WEBHOOK_URL),  # urllib3 tells host and path apart
        unquote(urlsplit(REDIS_URL).password or ""),
        dict(parse_qsl(urlsplit(REDIS_URL).query)).get("password"),
        DATABASE.get("OPTIONS", {}).get("password"),
    )
    if value
]
LOGGING_CONFIG = "trr_site.logs.configure"
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"secrets": {"()": "trr_site.logs.SecretFilter"}},
    "formatters": {
        "line": {
            "()": "trr_site.logs.SecretFormatter",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        },
        "json": {"()": "trr_site.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # Django's own handlers would write past the formatter: twice with DEBUG, and mails of whole tracebacks.
        "django": {"handlers": [], "level": "INFO"},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        "axes": {"level": "WARNING"},  # logins are in the history
        # A v3 key travels in the query string, and urllib3 logs whole URLs.
        "urllib3.connection": {"filters": ["secrets"]},
        "urllib3.connectionpool": {"filters": ["secrets"]},
        "urllib3.util.retry": {"filters": ["secrets"]},
    },
}
