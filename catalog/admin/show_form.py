"""The form of a show: what an editor saw is what his changes are measured against.

It is a merge of three: what he was shown (every field carries it, hidden), what he sends, and what
stands in the database by now. What he left alone stays as it is by now; what he and somebody else
have both changed is put before him to choose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextInputWidget

from catalog.admin.pick import PickField
from catalog.admin.text import joined, short
from catalog.edits import newest_changes, validate, version_of
from catalog.links import RELATIONS, linked_ids
from catalog.models import Change, Network, ProductionCompany, Show
from catalog.provenance import act_of
from catalog.values import A_DATE, IMDB_IDS, check, label, normal, normal_list

OWN_FIELDS = frozenset({"reason", "version"})  # of the form, not of the show
THEIRS = "theirs"
LONGEST_ID = 18  # digits


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = forms.Textarea(attrs={"rows": 2})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        return normal_list(value.splitlines() if isinstance(value, str) else value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(normal_list(initial) != self.to_python(data))


class TmdbIdField(forms.CharField):
    """A number, or the address of the show at TMDb."""

    widget = UnfoldAdminTextInputWidget

    def to_python(self, value: Any) -> Any:
        return normal("tmdb_id", value)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that an editor and somebody else changed: theirs, who it was and when, as far as it is known."""

    theirs: str
    who: str
    at: datetime | None

    @property
    def text(self) -> str:
        time = f" at {self.at:%H:%M} UTC" if self.at else ""
        return f"{self.who} changed this to “{self.theirs}”{time} while you were typing."


class ShowForm(forms.ModelForm):
    tmdb_id = TmdbIdField(required=False, label=label("tmdb_id"))
    genres = LinesField(required=False, help_text="One a line.")
    keywords = LinesField(required=False, help_text="One a line.")
    tags = LinesField(required=False, help_text="One a line. Ours alone: no sync touches them.")
    listed_on = LinesField(required=False, help_text="One a line. Ours alone: no sync touches them.")
    networks = PickField(Network, source=("shownetwork", "network"), required=False)
    production_companies = PickField(ProductionCompany, source=("showproductioncompany", "company"), required=False)
    reason = forms.CharField(
        required=False,
        max_length=500,
        label="Reason (optional)",
        widget=forms.TextInput(attrs={"placeholder": "Why? Kept in the history.", "form": "show_form"}),
    )
    version = forms.CharField(required=False, widget=forms.HiddenInput)

    # Set on the class that admin makes for each request.
    user: Any = None
    refused: ValidationError | None = None  # why the save itself could not be done

    class Meta:
        model = Show
        fields = ()  # ShowPageAdmin names them

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conflicts: dict[str, Conflict] = {}
        self.meanwhile: dict[str, list[str]] = {}  # who -> the other fields that they changed
        self.current: Show | None = None
        self.current_version = 0
        if self.instance._state.adding:
            for name in (*RELATIONS, "version"):
                del self.fields[name]
        else:
            self.initial.update({name: linked_ids(self.instance.pk, name) for name in RELATIONS})
            if not self.is_bound:
                self.initial["version"] = str(version_of(self.instance.pk))
        for name, field in self.fields.items():
            field.show_hidden_initial = name not in OWN_FIELDS
            if isinstance(field, forms.DateField):
                field.input_formats = ["%Y-%m-%d"]  # 5/6/2020 is the 5th of June to some, the 6th of May to others
                field.error_messages["invalid"] = A_DATE
        if self.is_bound:
            self.data = self.with_choices(self.data)

    @property
    def columns(self) -> list[str]:
        return [name for name in self.fields if name not in OWN_FIELDS]

    def with_choices(self, data: Any) -> Any:
        """Where the editor takes what the others wrote, that is what he sends: what was shown him as theirs."""
        data = data.copy()
        for name in self.columns:
            if data.get(f"choice-{name}") == THEIRS:
                data[name] = data.get(self.add_initial_prefix(name), "")
        return data

    @cached_property
    def changed_data(self) -> list[str]:
        return [name for name in super().changed_data if name not in OWN_FIELDS]

    def edited_values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.changed_data}

    # --- what is wrong with it

    def clean_override(self) -> Any:
        return normal("override", self.cleaned_data["override"])

    def clean(self) -> dict[str, Any] | None:
        """Holds what the editor changed against the rules of `catalog.edits`, so that what it would refuse is told
        here. What stands in the show already is nothing that he could be blamed for."""
        cleaned = super().clean()
        for name in IMDB_IDS:
            if name in self.cleaned_data:
                self.cleaned_data[name] = normal(name, self.cleaned_data[name])
        for name, value in self.cleaned_data.copy().items():
            if name in self.changed_data and name not in RELATIONS:
                try:
                    check(name, normal(name, value))
                except ValidationError as error:
                    self.add_error(name, error)
        if not self.instance._state.adding:
            self.compare()
        if self.refused is not None:
            self.add_refused(self.refused)
        return cleaned

    def validate_unique(self) -> None:
        """Names the show that has the id, also one in the trash."""
        ids = {"tmdb_id", "imdb_id"} & set(self.changed_data) - set(self.errors)
        if ids:
            try:
                validate(self.instance, ids)
            except ValidationError as error:
                self.add_refused(error)

    def add_refused(self, error: ValidationError) -> None:
        messages = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        for name, texts in messages.items():
            self.add_error(name if name in self.fields else None, texts)

    # --- what others did meanwhile

    def compare(self) -> None:
        """Finds what somebody else has changed since the page was shown. Raises Show.DoesNotExist."""
        self.current_version = version_of(self.instance.pk)  # first: what comes later is refused by the save
        self.current = Show.objects.defer("tmdb_meta", "imdb_meta").get(pk=self.instance.pk)
        newer = self.newer_changes()
        for name in self.changed_data:
            theirs = self.now(name)
            if theirs == self.shown(name) or (name in self.cleaned_data and self.sent(name) == theirs):
                continue
            conflict = self.conflict(name, theirs, newer)
            self.conflicts[name] = conflict
            self.add_error(name, conflict.text)
        for change in newer:
            if change.user_id is None or change.user_id != self.user.pk:
                names = [name for name in self.columns if name in change.fields and name not in self.changed_data]
                told = self.meanwhile.setdefault(act_of(change).who or "a job", [])
                told += [label(name) for name in names if label(name) not in told]

    def newer_changes(self) -> list[Change]:
        seen = str(self.data.get("version", ""))
        if not (seen.isascii() and seen.isdigit()) or len(seen) > LONGEST_ID:
            return []
        return list(newest_changes(self.instance.pk).filter(id__gt=int(seen)).select_related("user"))

    def conflict(self, name: str, theirs: Any, newer: list[Change]) -> Conflict:
        change = next((change for change in newer if name in change.fields), None)
        field = self.fields[name]
        text = joined(field.names(theirs)) if isinstance(field, PickField) else ""
        return Conflict(text or short(theirs), self.who(change), change.ts if change else None)

    def who(self, change: Change | None) -> str:
        if change is None:
            return "Somebody"
        if change.user_id is None:
            return (act_of(change).who or "a job").capitalize()
        return "You, in another window," if change.user_id == self.user.pk else act_of(change).who

    def shown(self, name: str) -> Any:
        """What the editor saw, None where that can't be told."""
        field = self.fields[name]
        raw = field.hidden_widget().value_from_datadict(self.data, self.files, self.add_initial_prefix(name))
        try:
            return self.normal(name, field.to_python(raw))
        except ValidationError:
            return None

    def sent(self, name: str) -> Any:
        return self.normal(name, self.cleaned_data[name])

    def now(self, name: str) -> Any:
        if self.current is None:
            raise ValueError("not compared yet")
        return (
            linked_ids(self.current.pk, name) if name in RELATIONS else self.normal(name, getattr(self.current, name))
        )

    def normal(self, name: str, value: Any) -> Any:
        return value if name in RELATIONS else normal(name, value)

    def rebase(self) -> None:
        """Makes a form that is shown again one of what stands in the database by now, with the editor's changes."""
        if self.current is None:
            return
        data: Any = self.data
        data = data.copy()
        for name in self.columns:
            now = self.fields[name].prepare_value(self.now(name))
            data[self.add_initial_prefix(name)] = now
            if name not in self.changed_data:
                data[self.add_prefix(name)] = now
        data["version"] = str(self.current_version)
        self.data = data


def told_of(meanwhile: Mapping[str, list[str]]) -> str:
    """What others changed while an editor was typing elsewhere, in words; empty for nothing."""
    parts = [f"{who} changed {', '.join(names)}" for who, names in meanwhile.items() if names]
    return f"Meanwhile {'; '.join(parts)}. That stays." if parts else ""
