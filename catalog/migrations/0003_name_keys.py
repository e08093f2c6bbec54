"""Fills the search keys of the shows that are there, then demands them.

Not atomic: each chunk is committed by itself, so that a large table is not locked for long.
"""

import unicodedata

from django.db import migrations, models

CHUNK = 500


def name_key(text):
    folded = unicodedata.normalize("NFKD", text).casefold()
    plain = " ".join("".join(letter for letter in folded if not unicodedata.combining(letter)).split())
    return plain or text.strip()


def fill_keys(apps, schema_editor):
    Show = apps.get_model("catalog", "Show")
    columns = ("id", "name", "tmdb_name", "imdb_title")
    shows = Show._base_manager.using(schema_editor.connection.alias).filter(name_key="").order_by("pk").only(*columns)
    while chunk := list(shows[:CHUNK]):
        for show in chunk:
            show.name_key = name_key(show.name) or show.name
            aliases = dict.fromkeys(name_key(alias) for alias in (show.tmdb_name, show.imdb_title) if alias)
            show.alias_keys = "\n".join(alias for alias in aliases if alias and alias != show.name_key)
        Show._base_manager.bulk_update(chunk, ["name_key", "alias_keys"], batch_size=100)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("catalog", "0002_curation_desk")]
    operations = [
        migrations.RunPython(fill_keys, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="show",
            constraint=models.CheckConstraint(
                condition=models.Q(("name_key", ""), _negated=True), name="show_name_key_is_set"
            ),
        ),
    ]
