"""WSGI entry point, for any number of HTTP workers."""

import os

os.environ["TRR_PROCESS"] = "web"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trr_site.settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
