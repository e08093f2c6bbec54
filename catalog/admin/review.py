"""The inbox: one page for everything that waits for a person, a tab for each queue."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from catalog.admin import desk
from catalog.admin.author import refuse_without, user_of
from catalog.admin.review_queues import QUEUES
from catalog.admin.text import short
from catalog.edits import ChangedMeanwhile
from catalog.models import Change, ReviewMark, Show
from catalog.review import assign, is_hidden, marks_of, put_back, put_off, sort_out

PER_PAGE = 25
UNRESOLVED = "unresolved"  # the queue behind the short address /resolution/

MARK = "catalog.add_reviewmark"  # to put off, to put back, to assign
RIGHTS = "django.contrib.auth.backends.ModelBackend"

desk.queues.extend(QUEUES)


@dataclass(frozen=True, slots=True)
class Card:
    """An item as it is shown, with what people have decided about it."""

    item: desk.Item
    mark: ReviewMark | None

    @property
    def is_hidden(self) -> bool:
        return is_hidden(self.mark)


@dataclass(frozen=True, slots=True)
class Refused:
    """A text that was sent with an action of an item, and why nothing was done with it."""

    key: str
    text: str
    problems: list[str]


class RefusedText(ValidationError):
    """The text that came with an action can't be used."""


@dataclass(frozen=True, slots=True)
class Tab:
    queue: desk.Queue
    count: int
    is_chosen: bool


def review_urls(model_admin: "ModelAdmin[Any]") -> list[URLPattern]:
    wrap = model_admin.admin_site.admin_view
    return [
        path("review/", wrap(partial(review_page, model_admin)), name="catalog_show_review"),
        path("resolution/", wrap(resolution), name="catalog_show_resolution"),
    ]


desk.pages.append(review_urls)


def resolution(request: HttpRequest) -> HttpResponse:
    return redirect(f"{reverse('admin:catalog_show_review')}?{urlencode({'queue': UNRESOLVED})}")


def review_page(model_admin: "ModelAdmin[Any]", request: HttpRequest) -> HttpResponse:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    if request.method == "POST":
        return act(model_admin, request)
    slug = request.GET.get("queue", "")
    if slug and desk.find_queue(slug) is None:
        messages.error(request, f"The inbox has no queue “{short(slug)}”: choose one of its tabs.")
        return redirect("admin:catalog_show_review")
    return inbox(model_admin, request, slug)


def inbox(
    model_admin: "ModelAdmin[Any]", request: HttpRequest, slug: str, refused: Refused | None = None
) -> HttpResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Review",
        "content_title": "Review",
        "model_admin": model_admin,  # with it, and without opts, the theme makes a heading of the title
        **page_context(request, slug),
        "refused": refused,
    }
    return render(request, "catalog/review.html", context)


def page_context(request: HttpRequest, slug: str) -> dict[str, Any]:
    """One queue's page: its cards, and how much waits in every queue."""
    marks = marks_of(queue.slug for queue in desk.queues)
    found = {queue.slug: sort_out(queue.slug, queue.keys(), marks) for queue in desk.queues}
    queue = desk.find_queue(slug) or next((queue for queue in desk.queues if found[queue.slug].open), None)
    if queue is None:
        queue = desk.queues[0]
    shows_hidden, shows_mine = request.GET.get("show") == "hidden", bool(request.GET.get("mine"))
    keys = found[queue.slug].hidden if shows_hidden else found[queue.slug].open
    mine = [key for key in keys if is_for(marks.get((queue.slug, key)), request)]
    page = Paginator(mine if shows_mine else keys, PER_PAGE).get_page(request.GET.get("page"))
    items = {item.key: item for item in queue.items(list(page.object_list))}
    may_act = request.user.has_perm(queue.permission)
    may_mark = may_act and request.user.has_perm(MARK)
    return {
        "tabs": [Tab(one, len(found[one.slug].open), one is queue) for one in desk.queues],
        "queue": queue,
        "cards": [Card(items[key], marks.get((queue.slug, key))) for key in page.object_list if key in items],
        "page": page,
        "shows_hidden": shows_hidden,
        "shows_mine": shows_mine,
        "hidden_count": len(found[queue.slug].hidden),
        "open_count": len(found[queue.slug].open),
        "mine_count": len(mine),
        "may_act": may_act,
        "may_mark": may_mark,
        "colleagues": list(colleagues(queue)) if may_mark else [],
    }


def is_for(mark: ReviewMark | None, request: HttpRequest) -> bool:
    return mark is not None and mark.assigned_to_id == request.user.pk


def colleagues(queue: desk.Queue) -> QuerySet[Any]:
    """Those who can work on the queue."""
    users = get_user_model().objects.with_perm(queue.permission, backend=RIGHTS)  # of active users alone
    return users.filter(is_staff=True).order_by("username").only("username")


# --- what people do with an item


def act(model_admin: "ModelAdmin[Any]", request: HttpRequest) -> HttpResponse:
    """Does one thing with one item, says what was done, and goes back to the page that it was done on.

    A text that is refused stays on the page, with the reason at its input.
    """
    queue, key = desk.find_queue(request.POST.get("queue", "")), request.POST.get("key", "")
    deed = DEEDS.get(request.POST.get("do", ""))
    if queue is None or deed is None:
        messages.error(request, "Nothing was done: the page is out of date.")
        return redirect("admin:catalog_show_review")
    refuse_without(request, queue.permission, *(() if deed is do_action else (MARK,)))
    if key not in queue.keys():  # noqa: SIM118  a function of the queue, not a dictionary's
        messages.warning(request, "This item waits no more: somebody has decided it, or it has changed.")
        return HttpResponseRedirect(request.get_full_path())
    try:
        deed(request, queue, key)
    except RefusedText as error:
        return inbox(model_admin, request, queue.slug, Refused(key, request.POST.get("text", ""), error.messages))
    except ValidationError as error:
        messages.error(request, f"Nothing was done. {' '.join(error.messages)}")
    except ChangedMeanwhile:
        messages.error(request, "Nothing was done: somebody has changed this show meanwhile. Look again.")
    except Show.DoesNotExist:
        messages.error(request, "Nothing was done: somebody has deleted this show meanwhile.")
    return HttpResponseRedirect(request.get_full_path())


def do_action(request: HttpRequest, queue: desk.Queue, key: str) -> None:
    """What the queue itself offers. Only what it offers for this item now: a page may be old."""
    name = request.POST.get("action", "")
    item = next(iter(queue.items([key])), None)
    action = next((action for action in item.actions if action.name == name), None) if item else None
    if item is None or action is None:
        raise ValidationError("That is not offered for it any more: look again.")
    newest = Change.objects.values_list("id", flat=True).first() or 0
    try:
        done = queue.act(key, name, request)
    except ValidationError as error:
        raise RefusedText(error.messages) if action.input else error from None
    changes = Change.objects.filter(user=request.user.pk, id__gt=newest).order_by("id")
    messages.success(request, format_html("{}: {} {}", item.title, done, undo_link(queue, key, list(changes[:2]))))


def undo_link(queue: desk.Queue, key: str, changes: list[Change]) -> SafeString:
    """Where what was done can be undone: the change, the show's history if there is more than one, or the mark."""
    if not changes:
        left = is_hidden(ReviewMark.objects.filter(queue=queue.slug, key=key).first())
        return link(hidden_page(queue), "What is put off or left") if left else SafeString("")
    if len(changes) == 1:
        return link(reverse("admin:catalog_change_revert", args=(changes[0].pk,)), "Undo")
    return link(f"{reverse('admin:catalog_change_changelist')}?show__id__exact={changes[0].show_id}", "History")


def link(url: str, text: str) -> SafeString:
    return format_html('<a class="review-link" href="{}">{}</a>', url, text)


def hidden_page(queue: desk.Queue) -> str:
    return f"{reverse('admin:catalog_show_review')}?{urlencode({'queue': queue.slug, 'show': 'hidden'})}"


def do_later(request: HttpRequest, queue: desk.Queue, key: str) -> None:
    mark = put_off(queue.slug, key, user_of(request))
    until = f"{mark.later_until:%Y-%m-%d}"
    messages.success(request, format_html("Put off until {}. {}", until, link(hidden_page(queue), "What is put off")))


def do_put_back(request: HttpRequest, queue: desk.Queue, key: str) -> None:
    put_back(queue.slug, key, user_of(request))
    messages.success(request, "It waits in the queue again.")


def do_assign(request: HttpRequest, queue: desk.Queue, key: str) -> None:
    to = request.POST.get("to", "")
    if to == "":
        assign(queue.slug, key, user_of(request), None)
        messages.success(request, "It is assigned to nobody.")
        return
    is_id = to.isascii() and to.isdecimal() and len(to) < 10
    colleague = colleagues(queue).filter(pk=int(to)).first() if is_id else None
    if colleague is None:
        raise ValidationError("There is no such colleague who may decide this.")
    assign(queue.slug, key, user_of(request), colleague)
    messages.success(request, f"It is assigned to {colleague.get_username()}.")


DEEDS: dict[str, Callable[[HttpRequest, desk.Queue, str], None]] = {
    "act": do_action,
    "later": do_later,
    "back": do_put_back,
    "assign": do_assign,
}
