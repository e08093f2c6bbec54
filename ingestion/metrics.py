"""`GET /metrics`: how the jobs do, for Prometheus. Computed from the database, so every web process answers the same.

Open to staff who may see runs, and to whoever has METRICS_TOKEN; where none is set, to this machine itself.
"""

import hmac
import time
from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models import Count, F, Max
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from catalog.access import address_of
from ingestion import health
from ingestion.alerts import open_problems
from ingestion.dashboard import JOB, states_by_stage
from ingestion.models import SyncRun, UpstreamTraffic
from ingestion.progress import OPEN

RIGHT: Final = "ingestion.view_syncrun"
# Set by proxies. Who comes through one has its address, and may be anybody.
OF_PROXIES: Final = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA", "HTTP_X_FORWARDED_PROTO")


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    try:
        refusal = refuse(request)
        if refusal is None:
            registry = CollectorRegistry()
            registry.register(Figures(queue_figures()))
            return answered(HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST))
    except DatabaseError:
        refusal = JsonResponse({"detail": "The database does not answer."}, status=HTTPStatus.SERVICE_UNAVAILABLE)
    return answered(refusal)


def answered(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response


# --- who may ask


def refuse(request: HttpRequest) -> HttpResponse | None:
    """The answer to who may not; None for who may. A good token needs no database."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and settings.METRICS_TOKEN:
        if hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode()):
            return None
        return ask_for_token("The token is wrong.")
    if not settings.METRICS_TOKEN and is_of_this_machine(request):
        return None
    user: Any = request.user
    if user.is_authenticated:
        if user.is_active and user.is_staff and user.has_perm(RIGHT):
            return None
        detail = "Your login does not have the right to see runs."
        return JsonResponse({"detail": detail}, status=HTTPStatus.FORBIDDEN)
    if settings.METRICS_TOKEN:
        return ask_for_token("A token is needed: Authorization: Bearer METRICS_TOKEN.")
    detail = "Without METRICS_TOKEN only this machine and staff may ask."
    return JsonResponse({"detail": detail}, status=HTTPStatus.FORBIDDEN)


def ask_for_token(detail: str) -> HttpResponse:
    response = JsonResponse({"detail": detail}, status=HTTPStatus.UNAUTHORIZED)
    response["WWW-Authenticate"] = "Bearer"
    return response


def is_of_this_machine(request: HttpRequest) -> bool:
    """Whether it came from here, and not through a proxy that stands here."""
    if any(name in request.META for name in OF_PROXIES):
        return False
    try:
        address = ip_address(address_of(request))
    except ValueError:  # none: a socket file
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback


# --- what is told


def queue_figures() -> health.Answer:
    """As `/health/ready` tells them; nothing where the queue does not answer, which must not cost the other figures."""
    return health.answer_of(health.LOOKS["queue"].begin(), time.monotonic() + health.PATIENCE)


class Figures(Collector):
    """Every figure at the time of the call, in a number of queries that does not grow with the data."""

    def __init__(self, queue: health.Answer) -> None:
        self.queue = queue
        self.now = timezone.now()

    def collect(self) -> Iterator[Metric]:
        yield from self.upstreams()
        yield from self.runs()
        yield from self.waiting()
        yield from self.data()
        yield gauge("trr_problems_open", "Problems that operators are told of.", len(open_problems(self.now)))

    def upstreams(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "trr_upstream_requests", "Requests by what came of them.", labels=["upstream", "outcome"]
        )
        waits = CounterMetricFamily(
            "trr_upstream_wait_seconds", "Time that requests waited for their turn at the limiter.", labels=["upstream"]
        )
        waited: dict[str, float] = defaultdict(float)
        for row in UpstreamTraffic.objects.all():
            requests.add_metric([row.upstream, row.outcome], row.requests)
            waited[row.upstream] += row.waited
        for upstream, seconds in waited.items():
            waits.add_metric([upstream], seconds)
        yield requests
        yield waits

    def runs(self) -> Iterator[Metric]:
        count = GaugeMetricFamily("trr_runs", "Runs that are kept, by job.", labels=["kind", "status"])
        duration = GaugeMetricFamily(
            "trr_run_last_duration_seconds", "How long the last run that has ended took.", labels=["kind"]
        )
        success = GaugeMetricFamily(
            "trr_run_last_success_timestamp_seconds", "When a run last ended well.", labels=["kind"]
        )
        by_kind = SyncRun.objects.order_by().annotate(job=JOB)
        last: dict[str, int] = {}
        for row in by_kind.values("job", "status").annotate(n=Count("pk"), last=Max("pk"), end=Max("finished_at")):
            count.add_metric([row["job"], row["status"]], row["n"])
            if row["status"] not in OPEN:
                last[row["job"]] = max(row["last"], last.get(row["job"], 0))
            if row["status"] == SyncRun.Status.SUCCEEDED and row["end"]:
                success.add_metric([row["job"]], row["end"].timestamp())
        ended = by_kind.filter(pk__in=last.values(), finished_at__isnull=False)
        for kind, seconds in ended.values_list("job", F("finished_at") - F("started_at")):
            duration.add_metric([kind], seconds.total_seconds())
        yield count
        yield duration
        yield success

    def waiting(self) -> Iterator[Metric]:
        if self.queue["ok"]:
            yield gauge("trr_queue_waiting", "Queued tasks that no worker has taken.", self.queue["waiting"])
            yield gauge("trr_queue_taken", "Queued tasks that a worker has.", self.queue["taken"])
            yield gauge("trr_workers_alive", "Workers that gave a sign of life within a minute.", self.queue["workers"])

    def data(self) -> Iterator[Metric]:
        newest = GaugeMetricFamily(
            "trr_data_newest_age_seconds", "Since a stage last succeeded for any show.", labels=["stage"]
        )
        oldest = GaugeMetricFamily(
            "trr_data_oldest_age_seconds",
            "Since a stage last succeeded for the show for which that is longest ago.",
            labels=["stage"],
        )
        for stage, state in sorted(states_by_stage(self.now).items()):
            for family, moment in ((newest, state["newest"]), (oldest, state["oldest"])):
                if moment is not None:
                    family.add_metric([stage], (self.now - moment).total_seconds())
        yield newest
        yield oldest


def gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
