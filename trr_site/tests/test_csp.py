import pytest
from django.test import Client


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/admin/login/"])
def test_pages_load_nothing_from_elsewhere_and_are_framed_by_nobody(client: Client, path: str) -> None:
    policy = client.get(path)["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "object-src 'none'" in policy
    assert "frame-ancestors" in policy


@pytest.mark.django_db
def test_the_documentation_of_the_api_runs_our_scripts_alone(client: Client) -> None:
    page = client.get("/api/v1/docs")

    assert "script-src 'self';" in page["Content-Security-Policy"]
    assert "http://" not in page.content.decode()
    assert "https://" not in page.content.decode()


def test_what_is_no_page_needs_no_policy_of_pages(client: Client) -> None:
    assert "Content-Security-Policy" not in client.get("/health")
