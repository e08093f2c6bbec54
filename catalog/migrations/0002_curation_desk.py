import uuid

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AccessEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("ts", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("login", "logged in"),
                            ("logout", "logged out"),
                            ("failed", "failed to log in"),
                            ("locked_out", "locked out"),
                            ("rights", "rights changed"),
                        ]
                    ),
                ),
                ("username", models.CharField(help_text="Of whom; as it was typed where the login failed.")),
                ("address", models.CharField(blank=True, default="", help_text="The IP address it came from.")),
                ("detail", models.CharField(blank=True, default="")),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("edit", "bulk edit"),
                            ("cells", "edit in the list"),
                            ("import", "file import"),
                            ("merge", "merge of duplicates"),
                            ("revert", "revert"),
                        ]
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "not applied"),
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "done with failures"),
                        ],
                        default="draft",
                    ),
                ),
                ("reason", models.CharField(blank=True, default="")),
                ("plan", models.JSONField(default=dict, help_text="What is to be done, in the form of its kind.")),
                ("total", models.PositiveIntegerField(default=0)),
                ("done", models.PositiveIntegerField(default=0)),
                ("counts", models.JSONField(default=dict, help_text="Shows by outcome: changed, unchanged, failed.")),
                ("failures", models.JSONField(default=list, help_text="[[show id or line, name, reason], ...]")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name_plural": "batches",
                "ordering": ("-created_at", "id"),
            },
        ),
        migrations.CreateModel(
            name="ReviewMark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("queue", models.CharField()),
                ("key", models.CharField()),
                ("later_until", models.DateTimeField(blank=True, help_text="Not shown before.", null=True)),
                (
                    "dismissed",
                    models.BooleanField(default=False, help_text="Not shown again, as long as the key is the same."),
                ),
                ("ts", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ("queue", "key"),
            },
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.SlugField(unique=True)),
                ("name", models.CharField(max_length=80)),
                (
                    "shared",
                    models.BooleanField(
                        default=True, help_text="Listed for every editor; its link works for all in any case."
                    ),
                ),
                (
                    "params",
                    models.JSONField(
                        blank=True, default=dict, help_text="Parameters of the list, like {'status': 'Ended'}."
                    ),
                ),
                (
                    "columns",
                    models.JSONField(
                        blank=True, default=list, help_text="Names of the columns; empty: the usual ones."
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                "ordering": ("name", "id"),
            },
        ),
        migrations.AlterModelOptions(
            name="show",
            options={
                "ordering": ("name", "id"),
                "permissions": (
                    ("sync_show", "Can have shows synced"),
                    ("bulk_edit_show", "Can edit many shows at once"),
                    ("merge_show", "Can merge duplicate shows"),
                    ("revert_show", "Can revert changes of shows"),
                    ("revert_run", "Can revert a whole sync run"),
                ),
            },
        ),
        migrations.AlterModelManagers(
            name="show",
            managers=[
                ("all_objects", django.db.models.manager.Manager()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="change",
            name="change_kind",
        ),
        migrations.AddField(
            model_name="pastwatchprovider",
            name="display_priority",
            field=models.IntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="pastwatchprovider",
            name="link",
            field=models.CharField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="show",
            name="alias_keys",
            field=models.CharField(
                default="",
                editable=False,
                help_text="TMDb's and IMDb's names in that form, where they differ; one a line.",
            ),
        ),
        migrations.AddField(
            model_name="show",
            name="deleted_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="show",
            name="merged_into",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="duplicates",
                to="catalog.show",
            ),
        ),
        migrations.AddField(
            model_name="show",
            name="name_key",
            field=models.CharField(
                default="", editable=False, help_text="The name as it is searched: no case, no accents."
            ),
        ),
        migrations.AlterField(
            model_name="change",
            name="kind",
            field=models.CharField(
                choices=[
                    ("created", "Created"),
                    ("updated", "Updated"),
                    ("deleted", "Deleted"),
                    ("merged", "Merged"),
                    ("commented", "Commented"),
                ]
            ),
        ),
        migrations.AddIndex(
            model_name="show",
            index=models.Index(fields=["name_key"], name="show_by_name_key"),
        ),
        migrations.AddConstraint(
            model_name="show",
            constraint=models.CheckConstraint(
                condition=models.Q(("merged_into__isnull", True), ("deleted_at__isnull", False), _connector="OR"),
                name="merged_show_is_deleted",
            ),
        ),
        migrations.AddField(
            model_name="accessevent",
            name="actor",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="batch",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="change",
            name="batch",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="changes",
                to="catalog.batch",
            ),
        ),
        migrations.AddIndex(
            model_name="change",
            index=models.Index(
                condition=models.Q(("batch__isnull", False)), fields=["batch"], name="changes_of_a_batch"
            ),
        ),
        migrations.AddConstraint(
            model_name="change",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["created", "updated", "deleted", "merged", "commented"])),
                name="change_kind",
            ),
        ),
        migrations.AddField(
            model_name="reviewmark",
            name="assigned_to",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="review_marks",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="reviewmark",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="savedview",
            name="owner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="saved_views", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="accessevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["login", "logout", "failed", "locked_out", "rights"])),
                name="access_event_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["edit", "cells", "import", "merge", "revert"])), name="batch_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["draft", "queued", "running", "done", "failed"])),
                name="batch_status",
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewmark",
            constraint=models.UniqueConstraint(fields=("queue", "key"), name="one_mark_per_item"),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.CheckConstraint(
                condition=models.Q(("slug", ""), _negated=True), name="saved_view_has_slug"
            ),
        ),
    ]
