"""The product page: what it shows, for whom, and what it says when something is missing."""

import re
from html.parser import HTMLParser

import pytest

from tests.unit.examples.bookinfo_processes import Answer, Bookinfo, bookinfo, fetch

VOID = {"meta", "link", "img", "input"}


class Page(HTMLParser):
    """Collect the visible text, and the classes and addresses used; complain about tags that do not close."""

    def __init__(self, html: str) -> None:
        """Read a page."""
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.classes: list[str] = []
        self.links: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        given = dict(attrs)
        self.classes += (given.get("class") or "").split()
        self.links += [value for name in ("href", "src", "action") if (value := given.get(name))]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Remember text that a reader sees."""
        if not {"style", "title"} & set(self.open):
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        """What a reader sees."""
        return " ".join(word for word in self.words if word)


def page(answer: Answer) -> Page:
    """Read an answer that has to be a page."""
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return Page(answer.body.decode())


def sign_in(books: Bookinfo, user: str) -> str:
    """Sign in by the link and return the cookie."""
    answer = books.front.get(f"/login?user={user}")
    assert (answer.status, answer.headers["location"]) == (303, "/productpage")
    return answer.headers["set-cookie"].partition(";")[0]


def test_the_page_names_the_workloads_and_shows_stars(books: Bookinfo) -> None:
    """The page shows details, reviews and stars, and the workload that gave each."""
    shown = page(books.front.get("/productpage"))
    for words in (
        "Jules Verne",
        "served by reviews-v2",
        "served by details-v1",
        "ratings served by ratings-v1",
        "page served by productpage-v1",
        "Nadia",
    ):
        assert words in shown.text
    assert shown.classes.count("stars") == shown.classes.count("black") == 2
    assert "not available" not in shown.text


def test_the_page_names_one_version_of_reviews_only(books: Bookinfo) -> None:
    """Whoever searches the page or the JSON for reviews-vN finds the workload that answered and no other."""
    for path in ("/productpage", "/api/v1/products/0"):
        assert set(re.findall(r"reviews-v\d", books.front.get(path).body.decode())) == {"reviews-v2"}


def test_the_page_needs_nothing_from_elsewhere(books: Bookinfo) -> None:
    """Every address on the page is a path of the productpage that the Gateway lets through, and answers."""
    links = set(page(books.front.get("/productpage")).links) | set(page(books.front.get("/productpage", {"end-user": "ada"})).links)
    assert links == {"/productpage", "/static/icon.svg", "/login", "/login?user=jason", "/logout", "/api/v1/products/0", "/quotes"}
    assert {books.front.get(link).status for link in links - {"/login"}} == {200, 303}


def test_red_stars_of_version_3() -> None:
    """reviews-v3 has red stars, and the page says who served them."""
    with bookinfo("reviews-v3") as books:
        shown = page(books.front.get("/productpage"))
    assert (shown.classes.count("red"), "served by reviews-v3" in shown.text) == (2, True)


def test_no_stars_and_no_complaint_with_version_1() -> None:
    """reviews-v1 has no stars, which is no failure."""
    with bookinfo("reviews-v1") as books:
        shown = page(books.front.get("/productpage"))
    assert ("stars" in shown.classes, "served by reviews-v1" in shown.text, "not available" in shown.text) == (False, True, False)


def test_json_has_the_same_facts(books: Bookinfo) -> None:
    """The API gives title, details, reviews with their workload, ratings, and the user."""
    answer = books.front.get("/api/v1/products/0", {"end-user": "ada"})
    assert answer.at("id") == 0
    assert answer.at("title") == "Twenty Thousand Leagues Under the Seas"
    assert answer.at("user") == "ada"
    assert answer.at("details", "workload") == "details-v1"
    assert answer.at("reviews", "workload") == "reviews-v2"
    assert answer.at("reviews", "ratings", "workload") == "ratings-v1"
    assert books.front.get("/api/v1/products/9").status == 404
    assert books.front.get("/api/v1/products").at("products") == [
        {"id": 0, "title": "Twenty Thousand Leagues Under the Seas", "path": "/api/v1/products/0"}
    ]


def test_missing_ratings_are_said(books: Bookinfo) -> None:
    """Without ratings the page is 200, has the reviews, and says what is missing and why."""
    del books.proxy.routes["ratings"]
    shown = page(books.front.get("/productpage"))
    assert "Ratings are not available right now" in shown.text
    assert "ratings answered 503: no healthy upstream" in shown.text
    assert "served by reviews-v2" in shown.text
    assert "stars" not in shown.classes
    assert books.front.get("/api/v1/products/0").at("reviews", "ratings", "error") == 503


@pytest.mark.parametrize(
    ("host", "words"), [("reviews", "Reviews are not available right now"), ("details", "Details are not available right now")]
)
def test_missing_parts_are_said(books: Bookinfo, host: str, words: str) -> None:
    """Without reviews or details the page shows the rest, and the JSON has the status in the place of the part."""
    books.proxy.canned[host] = 504, b"upstream request timeout"
    shown = page(books.front.get("/productpage"))
    assert words in shown.text
    assert "Twenty Thousand Leagues Under the Seas" in shown.text
    answer = books.front.get("/api/v1/products/0")
    assert (answer.status, answer.at(host)) == (200, {"error": 504, "message": f"{host} answered 504: upstream request timeout"})


def test_the_root_leads_to_the_page(books: Bookinfo) -> None:
    """/ is a redirect to /productpage."""
    answer = books.front.get("/")
    assert (answer.status, answer.headers["location"]) == (303, "/productpage")


def test_signing_in_sends_end_user_on(books: Bookinfo) -> None:
    """The cookie of the sign-in becomes the header end-user of every call; signing out takes it away."""
    cookie = sign_in(books, "jason")
    shown = page(books.front.get("/productpage", {"cookie": cookie}))
    assert "signed in as jason" in shown.text
    assert [seen.headers.get("end-user") for seen in books.proxy.seen] == ["jason"] * 3
    assert "Max-Age=0" in books.front.get("/logout", {"cookie": cookie}).headers["set-cookie"]


def test_the_form_signs_in_as_well(books: Bookinfo) -> None:
    """The form posts the name."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = fetch(books.front.address, "/login", headers, method="POST", body="user=ada")
    assert (answer.status, answer.headers["set-cookie"].partition(";")[0]) == (303, "user=ada")


def test_a_header_wins_over_the_cookie(books: Bookinfo) -> None:
    """end-user of the request is kept as it came."""
    books.front.get("/productpage", {"cookie": "user=ada", "end-user": "jason"})
    assert {seen.headers["end-user"] for seen in books.proxy.seen} == {"jason"}


@pytest.mark.parametrize("name", ["", "a%20b", "a%0d%0aset-cookie:x=y", "%3Cb%3E", "a" * 33, "a;b"])
def test_names_that_could_do_harm_are_refused(books: Bookinfo, name: str) -> None:
    """A user name is letters, digits and a few signs; anything else is 400 and sets no cookie."""
    answer = books.front.get(f"/login?user={name}")
    assert (answer.status, "set-cookie" in answer.headers) == (400, False)


@pytest.mark.parametrize("cookie", ["user=<b>", "user", "=;=", "user=a b;;"])
def test_odd_cookies_are_nobody(books: Bookinfo, cookie: str) -> None:
    """A cookie that no sign-in of ours made is ignored, or cut to what is a name."""
    shown = page(books.front.get("/productpage", {"cookie": cookie}))
    assert "<b>" not in shown.text
    assert {seen.headers.get("end-user") for seen in books.proxy.seen} <= {None, "a"}


def test_what_came_from_elsewhere_is_escaped(books: Bookinfo) -> None:
    """Names and texts of other services and of the client are text on the page, never markup."""
    books.proxy.canned["reviews"] = 200, b'{"workload": "<i>w</i>", "items": [{"reviewer": "<script>", "text": "&amp;", "stars": 99}, 3]}'
    answer = books.front.get("/productpage", {"end-user": "<b>eve</b>"})
    html, shown = answer.body.decode(), page(answer)
    assert "<script>" not in html
    assert "<i>w" not in html
    assert "<b>eve" not in html
    assert "signed in as <b>eve</b>" in shown.text
    assert "served by <i>w</i>" in shown.text


def test_the_attempt_is_shown_when_the_mesh_retried(books: Bookinfo) -> None:
    """A page that took more than one attempt says so; the query stands for the header that a browser cannot send."""
    headers = {"x-request-id": "retried"}
    assert "reviews-v2 fails attempt 1 on demand" in page(books.front.get("/productpage?fail=reviews=1", headers)).text
    assert "served by reviews-v2, attempt 2" in page(books.front.get("/productpage?fail=reviews=1", headers)).text


def test_quotes_come_from_outside(books: Bookinfo) -> None:
    """/quotes asks http://quotes.example.org/quote and shows what outside said and got."""
    answer = books.front.get("/quotes", {"end-user": "ada"})
    assert (answer.status, answer.at("outside", "workload"), answer.at("outside", "headers", "end-user")) == (200, "outside", "ada")
    assert isinstance(answer.at("outside", "quote"), str)
    assert [(seen.url, seen.headers["host"]) for seen in books.proxy.seen] == [("http://quotes.example.org/quote", "quotes.example.org")]


def test_quotes_tell_the_status_of_a_host_that_nobody_knows(books: Bookinfo) -> None:
    """/quotes answers with the status that the sidecar gave."""
    books.proxy.canned["quotes.example.org"] = 502, b""
    answer = books.front.get("/quotes")
    assert (answer.status, answer.at("error"), answer.at("message")) == (502, 502, "quotes.example.org answered 502")


def test_stats_of_a_workload(books: Bookinfo) -> None:
    """/api/v1/stats/WORKLOAD asks with x-stats-of, and refuses an answer of another workload."""
    answer = books.front.get("/api/v1/stats/reviews-v2")
    assert (answer.status, answer.at("workload")) == (200, "reviews-v2")
    assert [(seen.url, seen.headers["x-stats-of"]) for seen in books.proxy.seen] == [("http://reviews:9080/stats", "reviews-v2")]
    wrong = books.front.get("/api/v1/stats/reviews-v3")
    assert (wrong.status, "reviews-v2 answered" in str(wrong.at("message"))) == (404, True)
    assert books.front.get("/api/v1/stats/passwords-v1").status == 404
