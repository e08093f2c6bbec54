"""The three roles, as groups of permissions. An admin is a superuser and needs no group.

| role     | may                                                                                              |
|----------|--------------------------------------------------------------------------------------------------|
| viewer   | see the catalogue, its history, the syncs and the exports; save nothing                          |
| editor   | as viewer; add, edit, delete and restore shows; edit logos; have shows synced; bulk edit, merge, |
|          | revert changes; keep views of the list; decide what waits in the inbox; publish to Google Sheets |
| operator | as editor; cancel runs; revert a whole sync run; see, plan and repeat background tasks           |

Logins and rights are for admins alone: people type passwords into the field of the user name.
The groups are made by a migration; a change of this table needs another one.
"""

VIEWER = frozenset(
    {
        *("catalog.view_show", "catalog.view_network", "catalog.view_productioncompany", "catalog.view_watchprovider"),
        *("catalog.view_shownetwork", "catalog.view_showproductioncompany", "catalog.view_showwatchprovider"),
        *("catalog.view_pastwatchprovider", "catalog.view_change", "catalog.view_batch"),
        *("catalog.view_savedview", "catalog.view_reviewmark"),
        *("ingestion.view_syncrun", "ingestion.view_syncfailure", "ingestion.view_syncstate"),
        *("ingestion.view_syncchunk", "ingestion.view_worker", "ingestion.view_problem"),
        *("ingestion.view_resolutioncandidate", "ingestion.view_workbookrow"),
        *("exports.view_exportrun", "exports.view_exportedtab"),
    }
)
EDITOR = VIEWER | {
    *("catalog.add_show", "catalog.change_show", "catalog.delete_show"),
    *("catalog.change_network", "catalog.change_productioncompany", "catalog.change_watchprovider"),
    *("catalog.sync_show", "catalog.bulk_edit_show", "catalog.merge_show", "catalog.revert_show"),
    *("catalog.add_savedview", "catalog.change_savedview", "catalog.delete_savedview"),
    *("catalog.add_reviewmark", "catalog.change_reviewmark", "catalog.delete_reviewmark"),
    "exports.publish_exportrun",
}
OPERATOR = EDITOR | {
    *("catalog.revert_run", "ingestion.cancel_syncrun"),
    *("django_q.view_schedule", "django_q.add_schedule", "django_q.change_schedule", "django_q.delete_schedule"),
    *("django_q.view_ormq", "django_q.delete_ormq"),
    *("django_q.view_success", "django_q.delete_success"),
    *("django_q.view_failure", "django_q.change_failure", "django_q.delete_failure"),  # to change: to run it again
}
ROLES: dict[str, frozenset[str]] = {"viewer": VIEWER, "editor": EDITOR, "operator": OPERATOR}
