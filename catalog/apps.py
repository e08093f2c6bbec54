from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "catalog"
    verbose_name = "Catalogue"

    def ready(self) -> None:
        from axes.signals import user_locked_out
        from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
        from django.db.models.signals import post_migrate

        from catalog import access, revisions

        user_logged_in.connect(access.on_login)
        user_logged_out.connect(access.on_logout)
        user_login_failed.connect(access.on_failure)  # after axes' own, as that app is listed before this one
        user_locked_out.connect(access.on_lockout)
        post_migrate.connect(revisions.install, sender=self)
