"""Content-Security-Policy of the pages: logos and posters alone are loaded from elsewhere; nothing is framed or sent.

The theme of admin (unfold, with Alpine) has scripts in its pages and evaluates expressions in them, so these two are
allowed; an answer that has a policy of its own keeps it. https://developer.mozilla.org/docs/Web/HTTP/CSP
"""

from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

HEADER = "Content-Security-Policy"


def policy() -> str:
    # Logos are ours, or in the bucket or CDN that an operator has named; candidates' posters are TMDb's.
    images = (settings.TMDB_IMAGE_URL, settings.AWS_CDN_BASE_URL, settings.AWS_S3_ENDPOINT_URL)
    hosts = {"{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in images if url}
    if settings.AWS_S3_BUCKET:
        hosts.add("https://*.amazonaws.com")
    return (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data: {' '.join(sorted(hosts))}; font-src 'self' data:; "
        "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
    )


def with_policy(response: HttpResponseBase) -> HttpResponseBase:
    if HEADER not in response.headers and response.headers.get("Content-Type", "").startswith("text/html"):
        response.headers[HEADER] = policy()
    return response


@sync_and_async_middleware
def content_security_policy(get_response: Any) -> Any:
    """Both kinds in one, so that it costs no change of threads under ASGI."""
    if iscoroutinefunction(get_response):

        async def answer_soon(request: HttpRequest) -> HttpResponseBase:
            return with_policy(await get_response(request))

        return answer_soon

    def answer(request: HttpRequest) -> HttpResponseBase:
        return with_policy(get_response(request))

    return answer
