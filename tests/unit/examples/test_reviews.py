"""The three versions of reviews, and what becomes of them without ratings."""

import pytest

from tests.unit.examples.bookinfo_processes import Proxy, ServiceProcess, service

RATINGS = b'{"id": 0, "workload": "ratings-v1", "stars": {"Nadia": 5, "Kofi": 4}}'


def stars(reviews: ServiceProcess) -> list[object]:
    """Return the stars of each review."""
    items = reviews.get("/reviews/0").at("items")
    assert isinstance(items, list)
    return [item["stars"] for item in items]


def test_version_1_asks_for_no_ratings(sidecar: Proxy) -> None:
    """reviews-v1 shows no stars and makes no call."""
    with service("reviews", WORKLOAD="reviews-v1", http_proxy=sidecar.url) as reviews:
        assert stars(reviews) == [None, None]
        assert reviews.get("/reviews/0").at("ratings") is None
    assert sidecar.seen == []


@pytest.mark.parametrize(("version", "color"), [("v2", "black"), ("v3", "red")])
def test_later_versions_show_stars(sidecar: Proxy, version: str, color: str) -> None:
    """reviews-v2 has black stars, reviews-v3 red ones, and both say who gave the ratings."""
    sidecar.canned["ratings"] = 200, RATINGS
    with service("reviews", WORKLOAD=f"reviews-{version}", http_proxy=sidecar.url) as reviews:
        answer = reviews.get("/reviews/0")
        assert stars(reviews) == [5, 4]
    assert answer.at("workload") == f"reviews-{version}"
    assert answer.at("ratings") == {"workload": "ratings-v1", "color": color}


def test_reviews_survive_without_ratings(sidecar: Proxy) -> None:
    """When ratings fail the reviews are there, without stars and with the status that came back."""
    with service("reviews", WORKLOAD="reviews-v3", http_proxy=sidecar.url) as reviews:
        assert stars(reviews) == [None, None]
        assert reviews.get("/reviews/0").at("ratings", "error") == 503


def test_the_attempt_is_counted(sidecar: Proxy) -> None:
    """A repeated x-request-id is the next attempt, as when the mesh retries."""
    with service("reviews", WORKLOAD="reviews-v1", http_proxy=sidecar.url) as reviews:
        assert [reviews.get("/reviews/0", {"x-request-id": name}).at("attempt") for name in ("a", "a", "b")] == [1, 2, 1]
