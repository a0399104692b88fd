"""Calendar feeds in their store: tokens and renderings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.domain.calendars import KEPT as RENDERING_KEPT
from chalicelib.domain.calendars import RENEWED_WITHIN, Kept, Owner, Rendering, Shared, Shows
from chalicelib.services.ports import CalendarStore
from tests.builders import NOW
from tests.integration.repositories.stores import SECOND

if TYPE_CHECKING:
    pass


def standing(tokens: CalendarStore, owner: Owner) -> Shared:
    shared = tokens.find(owner)
    assert shared is not None
    return shared


def test_a_feed_has_one_token_until_it_is_withdrawn(tokens: CalendarStore, owner: Owner) -> None:
    tokens.remove(owner, NOW)
    assert tokens.find(owner) is None
    tokens.keep(owner, Shared(b"first"), NOW)
    tokens.keep_rendering(owner, Shared(b"first"), Rendering(b"content", NOW))
    tokens.keep(owner, Shared(b"second"), NOW)
    assert tokens.find(owner) == Shared(b"second"), "with nothing kept of the feed"
    tokens.remove(owner, NOW)
    assert tokens.find(owner) is None


def test_one_poll_at_a_time_may_renew_a_feed(tokens: CalendarStore, owner: Owner) -> None:
    assert not tokens.claim(owner, Shared(b"hash"), NOW)
    tokens.keep(owner, Shared(b"hash"), NOW)
    shared = standing(tokens, owner)
    assert not tokens.claim(owner, Shared(b"another"), NOW)
    assert tokens.claim(owner, shared, NOW)
    assert not tokens.claim(owner, shared, NOW + RENEWED_WITHIN - SECOND)
    assert tokens.claim(owner, shared, NOW + RENEWED_WITHIN)


def test_the_newest_rendering_of_a_shared_feed_is_kept(tokens: CalendarStore, owner: Owner) -> None:
    old, new, late = Rendering(b"old", NOW), Rendering(b"new", NOW + SECOND), Rendering(b"late", NOW)
    tokens.keep_rendering(owner, Shared(b"hash"), old)
    assert tokens.find(owner) is None
    tokens.keep(owner, Shared(b"hash"), NOW)
    unread = standing(tokens, owner)
    # A token that is in force no longer keeps nothing; where the pieces lie, nothing of it is read.
    tokens.keep_rendering(owner, Shared(b"another"), Rendering(b"another", NOW - SECOND))
    assert tokens.find(owner) == unread
    for rendering in (old, new, late):
        tokens.keep_rendering(owner, unread, rendering)
    assert tokens.find(owner) == Shared(b"hash", Kept(new.tag, new.as_of, new.as_of + RENDERING_KEPT))
    assert [tokens.rendering(owner, kept.tag) for kept in (old, new, late)] == [None, b"new", None]
    # The same content is not written anew, and the store drops it when it would have.
    again = Rendering(b"new", NOW + 2 * SECOND)
    tokens.keep_rendering(owner, standing(tokens, owner), again)
    assert standing(tokens, owner).kept == Kept(new.tag, again.as_of, new.as_of + RENDERING_KEPT)
    tokens.remove(owner, NOW + 3 * SECOND)
    assert tokens.rendering(owner, new.tag) is None


def test_of_a_feed_that_names_visitors_only_the_tag_is_kept(tokens: CalendarStore, owner: Owner) -> None:
    tokens.keep(owner, Shared(b"hash", shows=Shows.VISITORS), NOW)
    rendering = Rendering(b"Ada", NOW)
    tokens.keep_rendering(owner, standing(tokens, owner), rendering)
    kept = Kept(rendering.tag, NOW, NOW + RENDERING_KEPT)
    assert standing(tokens, owner) == Shared(b"hash", kept, Shows.VISITORS)
    assert tokens.rendering(owner, rendering.tag) is None
