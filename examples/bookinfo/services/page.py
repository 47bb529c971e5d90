"""The product page as HTML: a pure function of the facts that the JSON API gives, so that the two can never disagree.

Everything that came from elsewhere is escaped. One style sheet inside the page, no script, nothing fetched but the icon.
"""

from collections.abc import Mapping
from html import escape

MOST_STARS = 5
RATINGS_MISSING = "Ratings are not available right now"
REVIEWS_MISSING = "Reviews are not available right now"
DETAILS_MISSING = "Details are not available right now"

ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0f3d4c"/>\
<path d="M7 9c4-2 7-1 9 1 2-2 5-3 9-1v14c-4-2-7-1-9 1-2-2-5-3-9-1z" fill="#f4efe4"/><path d="M16 10v14" stroke="#0f3d4c" stroke-width="1.5"/></svg>
"""

STYLE = """
:root { --ink: #17262b; --soft: #5b6d73; --line: #e3e0d8; --paper: #fbfaf6; --card: #fff; --deep: #0f3d4c; --red: #c62f2f; --warn: #8a4b0f; --warnbg: #fff3e2 }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
a { color: inherit }
header { background: var(--deep); color: #f4efe4 }
header div { max-width: 60rem; margin: auto; padding: .8rem 1.25rem; display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: center }
header .brand { font-weight: 650; letter-spacing: .01em; text-decoration: none; display: flex; gap: .55rem; align-items: center }
header .brand img { width: 1.7rem; height: 1.7rem }
header .who { margin-left: auto; display: flex; gap: .6rem; align-items: center; font-size: .92rem }
input, button { font: inherit; border: 0; border-radius: .45rem; padding: .32rem .7rem }
input { width: 9rem; background: #ffffff1f; color: inherit; outline-offset: 2px }
input::placeholder { color: #f4efe4aa }
button { background: #f4efe4; color: var(--deep); font-weight: 600; cursor: pointer }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 1rem; display: grid; gap: 1.5rem; grid-template-columns: 15rem 1fr }
.cover { aspect-ratio: 2/3; border-radius: .5rem; padding: 1.3rem 1.1rem; color: #f4efe4; display: flex; flex-direction: column; justify-content: space-between;
  background: radial-gradient(circle at 70% 68%, #ffe9b0 0 9%, #ffe9b033 10% 17%, transparent 18%), linear-gradient(175deg, #1d7d8c, #0f3d4c 55%, #06202b);
  box-shadow: 0 12px 28px #0f3d4c40, inset 5px 0 0 #ffffff22 }
.cover b { font: 600 1.32rem/1.25 Georgia, "DejaVu Serif", serif }
.cover span { font-size: .85rem; opacity: .85 }
h1 { font: 600 2rem/1.2 Georgia, "DejaVu Serif", serif; margin: 0 0 .2rem }
h2 { font-size: 1.08rem; margin: 0; display: flex; flex-wrap: wrap; gap: .35rem .7rem; align-items: baseline }
section { margin-bottom: 1.5rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; margin: .7rem 0 0 }
dt { color: var(--soft) } dt::first-letter { text-transform: uppercase }
dd { margin: 0 }
.by { font-size: .8rem; font-weight: 500; color: var(--soft); background: #eeece4; border-radius: 1rem; padding: .1rem .65rem; white-space: nowrap }
.reviews { grid-column: 1 / -1 }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); margin-top: .9rem }
article { background: var(--card); border: 1px solid var(--line); border-radius: .8rem; padding: 1.1rem 1.25rem }
article p { margin: .35rem 0 .7rem }
article footer { color: var(--soft); font-size: .92rem }
.stars { font-size: 1.25rem; letter-spacing: .12em; line-height: 1.2 }
.black { color: #111 } .red { color: var(--red) } .stars i { font-style: normal; opacity: .18 }
.trouble { background: var(--warnbg); color: var(--warn); border-left: 4px solid #e29a3d; border-radius: .4rem; padding: .65rem .95rem; margin: .9rem 0 0 }
.trouble small { display: block; opacity: .85; overflow-wrap: anywhere }
body > footer { max-width: 60rem; margin: auto; padding: 0 1.25rem 2rem; color: var(--soft); font-size: .87rem; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem }
@media (max-width: 40rem) { main { grid-template-columns: 1fr } .cover { aspect-ratio: 16/9 } }
"""


def text(facts: Mapping[str, object], name: str) -> str:
    """Return a fact as escaped text, empty when it is not there."""
    value = facts.get(name)
    return "" if value is None else escape(str(value))


def part(facts: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return a group of facts, empty when it is not there."""
    value = facts.get(name)
    return value if isinstance(value, Mapping) else {}


def stars(count: object, color: str) -> str:
    """Draw up to five stars; nothing when the count is unknown."""
    if not isinstance(count, int):
        return ""
    shown = max(0, min(count, MOST_STARS))
    label = f"{shown} of {MOST_STARS} stars"
    return f'<div class="stars {color}" role="img" aria-label="{label}">{"★" * shown}<i>{"★" * (MOST_STARS - shown)}</i></div>'


def trouble(headline: str, failed: Mapping[str, object]) -> str:
    """Say what is missing, and what the mesh said about it."""
    return f'<p class="trouble" role="status">{headline}.<small>{text(failed, "message")}</small></p>'


def details_section(details: Mapping[str, object]) -> str:
    """Show the facts about the book."""
    if "error" in details:
        return f"<section>{trouble(DETAILS_MISSING, details)}</section>"
    facts = part(details, "facts")
    rows = "".join(f"<dt>{escape(str(name))}</dt><dd>{text(facts, name)}</dd>" for name in facts)
    return f'<section><h2>Details <span class="by">served by {text(details, "workload")}</span></h2><dl>{rows}</dl></section>'


def reviews_section(reviews: Mapping[str, object]) -> str:
    """Show the reviews, their stars, and the workloads that gave them."""
    if "error" in reviews:
        return f'<section class="reviews"><h2>Reviews</h2>{trouble(REVIEWS_MISSING, reviews)}</section>'
    ratings = part(reviews, "ratings")
    by = f"served by {text(reviews, 'workload')}"
    attempt = reviews.get("attempt")
    if isinstance(attempt, int) and attempt > 1:
        by += f", attempt {attempt}"
    badges = f'<span class="by">{by}</span>'
    if "workload" in ratings:
        badges += f' <span class="by">ratings served by {text(ratings, "workload")}</span>'
    missing = trouble(RATINGS_MISSING, ratings) if "error" in ratings else ""
    color = "red" if ratings.get("color") == "red" else "black"
    given = reviews.get("items")
    items = [item for item in given if isinstance(item, Mapping)] if isinstance(given, list) else []
    cards = "".join(
        f"<article>{stars(item.get('stars'), color)}<p>{text(item, 'text')}</p><footer>{text(item, 'reviewer')}</footer></article>"
        for item in items
    )
    return f'<section class="reviews"><h2>Reviews {badges}</h2>{missing}<div class="cards">{cards}</div></section>'


def account(product: Mapping[str, object]) -> str:
    """Show who is signed in, or the form to do so."""
    if user := text(product, "user"):
        return f'signed in as <b>{user}</b> <a href="/logout">sign out</a>'
    return (
        '<a href="/login?user=jason">be jason</a><form method="post" action="/login">'
        '<input name="user" placeholder="any name" aria-label="user name" maxlength="32" required> <button>Sign in</button></form>'
    )


def render(product: Mapping[str, object]) -> bytes:
    """Return the page for the facts of `/api/v1/products/0`."""
    title, details = text(product, "title"), part(product, "details")
    author = text(part(details, "facts"), "author")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · bookinfo</title>
<link rel="icon" href="/static/icon.svg">
<style>{STYLE}</style>
</head>
<body>
<header><div><a class="brand" href="/productpage"><img src="/static/icon.svg" alt="">bookinfo</a>
<span class="who">{account(product)}</span></div></header>
<main>
<div class="cover"><b>{title}</b><span>{author}</span></div>
<div><h1>{title}</h1><p>{text(product, "summary")}</p>{details_section(details)}</div>
{reviews_section(part(product, "reviews"))}
</main>
<footer><span>page served by {text(product, "workload")}</span><a href="/productpage">reload</a><a href="/api/v1/products/0">the same as JSON</a>
<a href="/quotes">a quote from outside the mesh</a></footer>
</body>
</html>
""".encode()
