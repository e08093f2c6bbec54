"""WSGI entry point, for any number of HTTP workers."""

import os

os.environ["TRR_PROCESS"] = "web"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trr_site.settings")

from django.core.wsgi import get_wsgi_application

django_application = get_wsgi_application()

from catalog.api.front import WsgiFront  # noqa: E402  after Django is set up

application = WsgiFront(django_application)
