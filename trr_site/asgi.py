"""ASGI entry point: `daphne trr_site.asgi:application`."""

import os

os.environ["TRR_PROCESS"] = "web"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trr_site.settings")

from django.core.asgi import get_asgi_application

application = get_asgi_application()
