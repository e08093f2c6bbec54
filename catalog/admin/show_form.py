"""The form of a show: what an editor saw is what his changes are measured against."""

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import ValidationError

from catalog.admin.text import label
from catalog.locks import LOCKABLE
from catalog.models import Show
from catalog.values import check, normal, normal_list


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = AdminTextareaWidget(attrs={"rows": 4})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        return normal_list(value.splitlines() if isinstance(value, str) else value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(normal_list(initial) != self.to_python(data))


class ShowForm(forms.ModelForm):
    """Every field carries what was shown to the editor, hidden: a value that a sync wrote while he was
    typing is then neither taken for his, nor locked, nor set back."""

    genres = LinesField(required=False, help_text="One a line.")
    keywords = LinesField(required=False, help_text="One a line.")
    tags = LinesField(required=False, help_text="One a line. Ours alone: no sync touches them.")
    listed_on = LinesField(required=False, help_text="One a line. Ours alone: no sync touches them.")
    unlock = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Tick to take TMDb's value back; syncs will then keep the field up to date again.",
    )

    class Meta:
        model = Show
        fields = ()  # ShowAdmin names them

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.show_hidden_initial = name != "unlock"
        if isinstance(unlock := self.fields.get("unlock"), forms.MultipleChoiceField):
            # What is locked is shown; a lock that somebody else has opened meanwhile is no error.
            unlock.choices = [(name, label(name)) for name in self.instance.locked_fields]
            unlock.valid_value = lambda value: value in LOCKABLE  # type: ignore[method-assign]

    def edited_values(self) -> dict[str, Any]:
        """What the editor changed, but for fields that he gives back to upstream in the same step."""
        unlocked = self.cleaned_data.get("unlock") or ()
        return {
            name: self.cleaned_data[name] for name in self.changed_data if name != "unlock" and name not in unlocked
        }

    def clean_override(self) -> Any:
        return normal("override", self.cleaned_data["override"])

    def clean(self) -> dict[str, Any] | None:
        """Holds values against the rules of `catalog.edits`, so that what it would refuse is told here."""
        cleaned = super().clean()
        for name, value in self.cleaned_data.copy().items():
            if name != "unlock":
                try:
                    check(name, normal(name, value))
                except ValidationError as error:
                    self.add_error(name, error)
        return cleaned
