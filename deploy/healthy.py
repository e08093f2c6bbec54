"""Health check of a container: `healthy.py PORT` ends with 0 if the web server there answers well, else with 1.

Standard library alone, as it runs every few seconds. It asks by a host name that ALLOWED_HOSTS lists: of a site in
production that is its name and not 127.0.0.1.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException


def allowed_host(allowed: str) -> str:
    first = next((part.strip() for part in allowed.split(",") if part.strip()), "localhost")
    return "localhost" if first == "*" else first.removeprefix(".")


def main(port: int) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=4)  # less than the container's own timeout, to say why
    try:
        connection.request("GET", "/health", headers={"Host": allowed_host(os.environ.get("ALLOWED_HOSTS", ""))})
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        print(f"GET http://127.0.0.1:{port}/health: {error or type(error).__name__}")  # noqa: T201
        return 1
    print(f"GET http://127.0.0.1:{port}/health answered {status}")  # noqa: T201
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
