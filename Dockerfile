# One image for all processes: the web (as it is started here), the WebSocket, the worker and every command.
# Debian 12, whose pg_dump (15) is as new as the server in compose.yaml: change both together.
FROM python:3.11-slim-bookworm AS packages
RUN python -m venv /opt/venv
COPY requirements.txt /
RUN --mount=type=cache,target=/root/.cache/pip /opt/venv/bin/pip install -r /requirements.txt

FROM python:3.11-slim-bookworm
# pg_dump and psql, for `manage.py backup` and `restore`
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/*
# A number that is the same everywhere, so that volumes keep their owner
RUN groupadd --gid 10001 trr \
    && useradd --uid 10001 --gid trr --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin trr \
    && install -d -o trr -g trr /var/lib/trr
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/trr
COPY manage.py ./
COPY deploy/healthy.py deploy/
COPY templates templates
COPY trr_site trr_site
COPY catalog catalog
COPY ingestion ingestion
COPY exports exports
# What is written stands in one folder, for a volume: the rest of the image can be read-only.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MEDIA_ROOT=/var/lib/trr/media \
    DATABASE_URL=sqlite:////var/lib/trr/db.sqlite3
# Compiled here, as no process of this image may write beside the code. The key is for this line alone.
RUN python -m compileall -q . \
    && SECRET_KEY=none python manage.py collectstatic --noinput --verbosity 0
# Last, as it is another at each build: which version of the code the runs, workers and logs name
ARG TRR_VERSION=
ENV TRR_VERSION=$TRR_VERSION
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "deploy/healthy.py", "8000"]
# Threads: as many as the pool of a process has connections. A request may take 15 s to end when the web is stopped.
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "8", "--no-ws", "--respawn-failed-workers", "--workers-kill-timeout", "15", "--log-level", "error", "trr_site.wsgi:application"]
