"""A field of a form in which an ordered list of networks or companies is put together by name."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse

from catalog.values import LARGEST_ID


def ids_of(value: Any) -> list[int]:
    """`74,2`, or a list, as ids without repeats. Raises ValueError for what is neither."""
    parts = value.split(",") if isinstance(value, str) else value or ()
    ids = [int(part) for part in parts if str(part).strip()]
    if any(not 0 < pk <= LARGEST_ID for pk in ids):
        raise ValueError("an id is a positive number")
    return list(dict.fromkeys(ids))


def entities_of(model: type[Any], ids: Iterable[int]) -> list[Any]:
    """Those of the ids that there are, in order, with their logos: one query."""
    wanted = list(ids)
    found = model.objects.only("pk", "name", "hosted_logo_key").in_bulk(wanted)
    return [found[pk] for pk in wanted if pk in found]


class PickWidget(forms.Widget):
    """Rows to add, remove and move; what they are is kept in a hidden input of ids."""

    template_name = "catalog/show_pick.html"

    def __init__(self, model: type[Any], source: tuple[str, str]) -> None:
        super().__init__()
        self.model, self.source = model, source

    def format_value(self, value: Any) -> Any:
        return value

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        try:
            ids = ids_of(value)
        except (ValueError, TypeError):
            ids = []
        source_model, source_field = self.source
        context["widget"] |= {
            "ids": ",".join(map(str, ids)),
            "entities": entities_of(self.model, ids),
            "noun": str(self.model._meta.verbose_name),
            "nouns": str(self.model._meta.verbose_name_plural),
            "search_url": f"{reverse('admin:autocomplete')}?app_label={self.model._meta.app_label}"
            f"&model_name={source_model}&field_name={source_field}",
        }
        return context


class PickField(forms.Field):
    """Its value is the list of ids in order. `source` is the link's model and field, by which admin searches."""

    def __init__(self, model: type[Any], source: tuple[str, str], **options: Any) -> None:
        super().__init__(widget=PickWidget(model, source), **options)
        self.model = model

    def prepare_value(self, value: Any) -> Any:
        return ",".join(map(str, value)) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> list[int]:
        try:
            return ids_of(value)
        except (ValueError, TypeError) as error:
            raise ValidationError("A list of ids is expected, like 74,2.") from error

    def validate(self, value: list[int]) -> None:
        super().validate(value)
        there = {entity.pk for entity in entities_of(self.model, value)}
        if unknown := [str(pk) for pk in value if pk not in there]:
            raise ValidationError(f"There is no {self.model._meta.verbose_name} with the id {', '.join(unknown)}.")

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return ids_of(initial) != ids_of(data)
        except (ValueError, TypeError):
            return True

    def names(self, ids: Iterable[int]) -> list[str]:
        return [str(entity) for entity in entities_of(self.model, ids)]
