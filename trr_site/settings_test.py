"""Settings of the test suite: the environment it is given says which database; nothing else leaks in."""

import os
import tempfile

for name in (
    "SECRET_KEY DEBUG ALLOWED_HOSTS CSRF_TRUSTED_ORIGINS CORS_ALLOW_ORIGINS SECURE_SSL_REDIRECT TMDB_BEARER_TOKEN "
    "SECURE_HSTS_SECONDS API_PUBLIC API_REQUESTS_PER_MINUTE TRUSTED_PROXIES WORKER_PROCESSES "
    "SITE_URL ALERT_EMAILS ALERT_FROM EMAIL_URL ALERT_WEBHOOK_URL METRICS_TOKEN LOG_FORMAT "
    "HISTORY_DAYS VOLATILE_HISTORY_DAYS RUNS_DAYS TASKS_DAYS RAW_REPLIES_DAYS LOGO_GRACE_DAYS "
    "GOOGLE_APPLICATION_CREDENTIALS SPREADSHEET_ID GOOGLE_SHEETS_API_URL "
    "AWS_S3_BUCKET AWS_REGION AWS_S3_ENDPOINT_URL AWS_CDN_BASE_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"
).split():
    os.environ.pop(name, None)
os.environ |= {
    "ENV_FILE": "",
    "SECRET_KEY": "test-secret-key",
    "MEDIA_ROOT": tempfile.gettempdir() + "/trr-test-media",
    "TMDB_API_KEY": "test-api-key-0123456789abcdef",
    # Port 9 (discard) is closed: a test that forgets its stand-in fails, it does not reach TMDb.
    "TMDB_API_URL": "http://127.0.0.1:9/3",
    "TMDB_IMAGE_URL": "http://127.0.0.1:9/t/p",
    "TMDB_REQUESTS_PER_SECOND": "1000",
    "API_REQUESTS_PER_MINUTE": "0",
}

from .settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
TMDB_BACKOFF = SHEETS_BACKOFF = 0.01
# What a developer may have collected is not what the tests are about.
STATIC_ROOT = None
STORAGES |= {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}  # noqa: F405
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # A file, as an installation has: the server that a browser test talks to is a second connection, and those of a
    # database in memory lock each other's tables.
    DATABASES["default"]["TEST"] = {"NAME": f"{tempfile.mkdtemp(prefix='trr-test-')}/db.sqlite3"}  # noqa: F405
# Tasks are queued as rows, with Redis too: what was queued is then what a test can look at. Those that are about the
# queue over Redis start processes of their own.
Q_CLUSTER = {name: value for name, value in Q_CLUSTER.items() if name != "redis"}  # noqa: F405
Q_CLUSTER |= {"orm": "default", "broker_class": "ingestion.brokers.DatabaseBroker"}
