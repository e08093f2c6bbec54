"""`python -m ingestion.cluster`: django-q2's cluster as the launcher starts it (manage.py run_worker).

It differs from `manage.py qcluster` in two ways: a cluster whose idle worker was killed ends, to be started anew, and
it ends when its launcher does.
"""

import ctypes
import logging
import os
import signal
import sys
from typing import Any

import django

PR_SET_PDEATHSIG = 1


def main() -> None:
    end_with_the_launcher()
    os.environ["TRR_PROCESS"] = "worker"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trr_site.settings")
    django.setup()
    from django_q import cluster

    cluster.Sentinel = watchful(cluster.Sentinel)  # the name by which Cluster starts it
    cluster.Cluster().start()


def end_with_the_launcher() -> None:
    """Has the kernel send SIGTERM when the launcher is killed (Linux): nobody else would end this cluster."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def watchful(sentinel: Any) -> Any:
    class WatchfulSentinel(sentinel):
        """A worker that is killed while it waits for work dies with the lock of the queue, and no other worker ever
        gets a task again (django-q2 issue 23): the whole cluster is ended, and the launcher starts another."""

        def reincarnate(self, process: Any) -> None:
            killed = process.exitcode is not None and process.exitcode < 0
            if process in self.pool and killed and process.timer.value == -1:
                logging.getLogger(__name__).critical(
                    "worker %s was killed by signal %d while it waited: the cluster is started anew",
                    process.pid,
                    -process.exitcode,
                )
                logging.shutdown()
                os.killpg(os.getpgid(0), signal.SIGKILL)
            super().reincarnate(process)

    return WatchfulSentinel


if __name__ == "__main__":
    main()
