from django.apps import AppConfig


class IngestionConfig(AppConfig):
    name = "ingestion"
    verbose_name = "Syncs"

    def ready(self) -> None:
        from django_q.signals import post_execute_in_worker, pre_execute

        from catalog import alarms, queued, sync_queue
        from ingestion import (
            alerts,
            attempts,
            bells,
            checks,  # noqa: F401  registers the system checks
            shared_runs,
            task_results,
        )

        alarms.tellers.append(lambda: alerts.check_problems())
        queued.ringers.append(bells.ring_again)
        sync_queue.requests.append(shared_runs.request_sync)
        pre_execute.connect(attempts.on_begin)
        post_execute_in_worker.connect(attempts.on_end)
        post_execute_in_worker.connect(task_results.mask_result)
