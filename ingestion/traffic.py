"""How often each upstream was asked, counted for ever: what /metrics tells, of all processes together."""

from collections.abc import Mapping

from django.db import transaction
from django.db.models import F

from ingestion.models import UpstreamTraffic
from ingestion.sources.http import Traffic


def save_traffic(traffic: Mapping[str, Mapping[str, Traffic]]) -> None:
    """Adds to the counts; `traffic` is by upstream and outcome."""
    rows = [
        (upstream, outcome, one)
        for upstream, outcomes in sorted(traffic.items())
        for outcome, one in sorted(outcomes.items())  # two processes lock rows in the same order
    ]
    if not rows:
        return
    with transaction.atomic():
        for upstream, outcome, one in rows:
            counted = UpstreamTraffic.objects.filter(upstream=upstream, outcome=outcome)
            more = {"requests": F("requests") + one.requests, "waited": F("waited") + one.waited}
            if counted.update(**more):
                continue
            nothing = UpstreamTraffic(upstream=upstream, outcome=outcome)
            UpstreamTraffic.objects.bulk_create([nothing], ignore_conflicts=True)  # another process may be first
            counted.update(**more)
