"""The query page in a browser, over pretended connections."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.stage import EVIL

CARDS = "li.card"


def test_a_link_gives_its_answer_and_a_reload_gives_the_same(visit: Visit) -> None:
    page = visit.open("query?a=alive/scenes&id=0&k=7")
    expect(page.locator(CARDS)).to_have_count(7)
    before = page.locator(CARDS).all_inner_texts()
    url = page.url
    page.reload()
    visit.settle()
    expect(page.locator(CARDS)).to_have_count(7)
    assert page.locator(CARDS).all_inner_texts() == before
    assert page.url == url


def test_every_result_shows_rank_score_version_and_modality_and_the_page_the_encoder(visit: Visit) -> None:
    page = visit.open("query?a=alive/scenes&id=0&k=5")
    expect(page.locator(CARDS)).to_have_count(5)
    for number, text in enumerate(page.locator(CARDS).all_inner_texts(), 1):
        assert re.match(rf"(?s).*\b{number}\n", text)
        assert re.search(r"\d\.\d{4}", text)
        assert re.search(r"(image|text) · scenes-v[12]", text)
    expect(page.get_by_text(re.compile(r"encoder scenes-v2, fingerprint"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"Time: load .* encode .* search .* fetch "))).to_be_visible()


def test_more_like_this_asks_by_that_row_and_puts_it_into_the_link(visit: Visit) -> None:
    page = visit.open("query?a=alive/scenes&id=0&k=5")
    expect(page.locator(CARDS)).to_have_count(5)
    page.get_by_role("button", name=re.compile("More like this: Rank 3")).click()
    page.wait_for_url(re.compile(r"id=alive%2Fscenes%3A\d+"))
    visit.settle()
    expect(page.locator(CARDS).first).to_contain_text("1.0000")


def test_a_click_opens_the_row_with_its_payload(visit: Visit) -> None:
    page = visit.open("query?a=alive/scenes&id=0&k=5")
    page.get_by_role("button", name=re.compile("Details of Rank 2")).click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("Rank 2, similarity")
    expect(drawer).to_contain_text("embedding_version")
    expect(drawer.get_by_role("button", name="Payload as JSON")).to_be_visible()
    drawer.get_by_role("button", name="More like this").click()
    page.wait_for_url(re.compile(r"id=alive%2Fscenes%3A"))


def test_results_are_reached_and_opened_by_keyboard(visit: Visit) -> None:
    page = visit.open("query?a=alive/scenes&id=0&k=3")
    expect(page.locator(CARDS)).to_have_count(3)
    page.get_by_label("Search in words").focus()
    for _ in range(60):
        page.keyboard.press("Tab")
        deep = (
            "let e = document.activeElement; while (e.shadowRoot) e = e.shadowRoot.activeElement; e.ariaLabel"
        )
        if "Details of Rank 1" in str(
            page.evaluate(f"(() => {{ {deep.replace('; e.ariaLabel', '; return e.ariaLabel')} }})()")
        ):
            break
    else:
        raise AssertionError("the first result can't be reached by the keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Rank 1")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_several_collections_stand_side_by_side_or_fused(visit: Visit) -> None:
    page = visit.open("query?a=alive/scenes&a=alive/scenes-old&id=0&k=4")
    expect(page.locator("ul.grid")).to_have_count(2)
    expect(page.locator(CARDS)).to_have_count(8)
    page = visit.open("query?a=alive/scenes&a=alive/scenes-old&id=0&k=4&fuse=rrf")
    expect(page.locator("ul.grid")).to_have_count(1)
    expect(page.locator(CARDS)).to_have_count(4)


def test_a_dead_side_says_why_and_the_other_answers(visit: Visit) -> None:
    page = visit.open("query?a=alive/scenes&a=dead/things&id=alive/scenes:0&k=4")
    expect(page.locator(CARDS)).to_have_count(4)
    expect(page.get_by_text("Nothing answers at 127.0.0.1:1")).to_be_visible()


def test_a_filter_from_the_link_is_shown_as_conditions_and_holds(visit: Visit) -> None:
    what = '{"equals":{"field":"modality","value":"text"}}'
    page = visit.open(f"query?a=alive/scenes&id=0&k=5&filter={what}")
    expect(page.locator(CARDS)).to_have_count(5)
    assert all("text · " in t for t in page.locator(CARDS).all_inner_texts())
    page.get_by_role("button", name=re.compile(r"Filter \(1\)")).click()
    value = page.get_by_label("Value", exact=True)
    expect(value).to_have_value("text")
    value.fill("image")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("image"))
    visit.settle()
    expect(page.locator(CARDS).first).to_contain_text("image · ")


def test_a_condition_is_typed_in_one_go_and_the_builder_stays_open(visit: Visit) -> None:
    page = visit.open("query?a=alive/scenes&id=0&k=5")
    page.get_by_role("button", name="Filter", exact=True).click()
    opened = page.get_by_test_id("stPopoverBody").last
    opened.get_by_role("button", name="Add a condition").click()
    field = opened.get_by_role("combobox", name="Field")
    field.fill("modality")
    field.press("Enter")
    expect(page.get_by_role("button", name=re.compile(r"Filter \(1\)"))).to_be_visible()
    value = opened.get_by_label("Value", exact=True)
    value.fill("image")
    value.press("Enter")
    page.wait_for_url(re.compile("image"))
    visit.settle()
    expect(opened).to_be_visible()
    expect(opened.get_by_role("combobox", name="Field")).to_have_value("modality")
    expect(value).to_have_value("image")
    expect(page.locator(CARDS).first).to_contain_text("image · ")


def test_hostile_payloads_stay_text_and_fetch_nothing(visit: Visit) -> None:
    page = visit.open("query?a=alive/hostile&vector=AACAPwAAAAAAAAAAAAAAAA&k=10")
    expect(page.locator(CARDS)).to_have_count(8)
    expect(page.locator(CARDS).first).to_contain_text("<script>alert(1)</script>")
    expect(page.locator(f"a[href*='{EVIL}'], img[src*='{EVIL}']")).to_have_count(0)
    for rank in range(1, 9):
        page.get_by_role("button", name=re.compile(f"Details of Rank {rank},")).click()
        drawer = page.get_by_role("dialog")
        expect(drawer).to_contain_text(f"Rank {rank}, similarity")
        expect(drawer.locator(f"a[href*='{EVIL}'], img[src*='{EVIL}']")).to_have_count(0)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        visit.settle()
    assert visit.left == []


def test_huge_payloads_are_shortened_and_do_not_reach_the_page_whole(visit: Visit) -> None:
    sizes: list[int] = []
    visit.page.on("websocket", lambda ws: ws.on("framereceived", lambda f: sizes.append(len(f))))
    page = visit.open("query?a=alive/huge&vector=AACAPwAAAAAAAAAAAAAAAA&k=12")
    expect(page.locator(CARDS)).to_have_count(12)
    page.get_by_role("button", name=re.compile("Details of Rank 1,")).click()
    expect(page.get_by_role("dialog")).to_contain_text("shortened: the file has all of it")
    assert sum(sizes) < 3_000_000


def test_an_empty_collection_says_so(visit: Visit) -> None:
    page = visit.open("query?a=alive/empty&vector=AACAPwAAAAAAAAAAAAAAAA&k=4")
    expect(page.get_by_text("Nothing was found")).to_be_visible()


def test_words_without_a_known_encoder_stop_and_say_what_to_do(visit: Visit) -> None:
    page = visit.open("query?a=alive/hostile&text=a+red+circle")
    expect(page.get_by_text("No encoder is known", exact=True)).to_be_visible()
    page.get_by_role("button", name="Choose an encoder for this collection").click()
    page.wait_for_url(re.compile("collection="))
    expect(page.get_by_text("Encoder of this vector field")).to_be_visible()


def test_a_link_that_can_t_be_read_is_said(visit: Visit) -> None:
    page = visit.open("query?a=alive/scenes&k=lots")
    expect(page.get_by_text("The link can't be read as a query")).to_be_visible()


def test_the_same_query_is_there_as_a_command_and_the_hits_as_a_file(visit: Visit) -> None:
    page = visit.open("query?a=alive/scenes&id=0&k=4")
    page.get_by_role("button", name="As a command").click()
    expect(page.get_by_text("plumbline query alive/scenes --id 0 -k 4")).to_be_visible()
    page.keyboard.press("Escape")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Hits as JSONL").click()
    lines = caught.value.path().read_text().splitlines()
    assert len(lines) == 4
