from django.apps import AppConfig


class IngestionConfig(AppConfig):
    name = "ingestion"
    verbose_name = "Syncs"

    def ready(self) -> None:
        from ingestion import checks  # noqa: F401  registers the system checks
