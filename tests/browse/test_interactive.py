"""What answers to the hand does so by pointer and by keyboard, with its data's numbers at every state."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .conftest import NARROW, WIDE

FIGURES = {"06_occlusion.html": "square", "05_invariance.html": "slider", "14_trial.html": "slider"}


def figure_of(opened, address, **how):
    """The page's interactive figure, its data, and the page."""
    page = opened(address, **how)
    figure = page.locator("figure.hand.live")
    figure.scroll_into_view_if_needed()
    data = json.loads(figure.locator("script[type='application/json']").text_content())
    return page, figure, data


def expected(data, scene, state):
    """The rows that a state should show, as they are written: name, value."""
    rows = []
    for group, values in zip(data["groups"], data["scenes"][scene]["rows"][state], strict=True):
        for name, value in values:
            written = "none" if value is None else f"{value:.2f}"
            if group["percent"]:
                written = f"{100 * value:.1f}\u00a0%"
            rows.append((data["names"][name], written))
    return rows


def shown(figure):
    rows = figure.locator("li").all()
    return [(row.locator("b").text_content(), row.locator("span").text_content()) for row in rows]


def agrees(data, figure, scene, state):
    assert figure.locator(".state").text_content() == data["scenes"][scene]["labels"][state]
    for (name, value), (right_name, right_value) in zip(
        shown(figure), expected(data, scene, state), strict=True
    ):
        assert name == right_name
        assert (
            value == right_value or abs(float(value[:-2]) - float(right_value[:-2])) < 0.11
        )  # a tie in rounding


def test_the_square_follows_the_pointer(opened):
    page, figure, data = figure_of(opened, "06_occlusion.html")
    box, n = figure.locator(".picture").bounding_box(), len(data["square"])
    for row, column in ((0, 0), (n // 2, n // 3), (n - 1, n - 1)):
        page.mouse.move(
            box["x"] + (column + 0.5) * box["width"] / n, box["y"] + (row + 0.5) * box["height"] / n
        )
        agrees(data, figure, 0, n * row + column)
        square = figure.locator(".square").bounding_box()
        start, length = data["square"][column]
        assert square["x"] == pytest.approx(box["x"] + start * box["width"], abs=1.5)
        assert square["width"] == pytest.approx(length * box["width"], abs=1.5)


def test_the_square_follows_arrow_keys_and_stays_on_the_image(opened):
    page, figure, data = figure_of(opened, "06_occlusion.html")
    n, state = len(data["square"]), data["start"]
    agrees(data, figure, 0, state)
    figure.locator(".picture").focus()
    row, column = divmod(state, n)
    for key, down, across in (("ArrowDown", 1, 0), ("ArrowLeft", 0, -1), ("ArrowUp", -1, 0)):
        for _ in range(3):
            page.keyboard.press(key)
            row, column = (min(max(at, 0), n - 1) for at in (row + down, column + across))
            agrees(data, figure, 0, n * row + column)
    for _ in range(n):
        page.keyboard.press("ArrowUp")
    agrees(data, figure, 0, column)


@pytest.mark.parametrize("chapter", FIGURES)
def test_another_image_is_chosen_by_keyboard_and_keeps_the_state(opened, chapter):
    page, figure, data = figure_of(opened, chapter)
    figure.locator("input[type=radio]").first.focus()
    page.keyboard.press("ArrowRight")
    agrees(data, figure, 1, data["start"])
    assert figure.locator(".picture img").get_attribute("src") == data["scenes"][1]["image"]


@pytest.mark.parametrize("chapter", [one for one, control in FIGURES.items() if control == "slider"])
def test_a_slider_moves_through_all_states(opened, chapter):
    page, figure, data = figure_of(opened, chapter)
    slider, last = figure.locator("input[type=range]"), len(data["scenes"][0]["labels"]) - 1
    slider.focus()
    for state in range(1, last + 1):
        page.keyboard.press("ArrowRight")
        agrees(data, figure, 0, state)
    assert slider.get_attribute("aria-valuetext") == data["scenes"][0]["labels"][last]
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert abs(int(slider.input_value()) - last / 2) <= 1
    agrees(data, figure, 0, int(slider.input_value()))


@pytest.mark.parametrize("chapter", FIGURES)
def test_without_a_script_the_first_state_stands_there_and_no_control(browser, book, chapter):
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{book.as_uri()}/{chapter}")
    figure = page.locator("figure.hand")
    data = json.loads(figure.locator("script[type='application/json']").text_content())
    agrees(data, figure, 0, data["start"])
    assert not any(control.is_visible() for control in figure.locator("input").all())
    page.close()


# ---- the scoreboard


def test_choices_leave_the_claims_that_match_them_all_and_no_heading_without_a_claim(opened):
    page = opened("scoreboard.html")
    lines = page.locator(".board .line")
    known = lines.evaluate_all("lines => lines.map(line => ({id: line.id, ...line.dataset}))")
    form, asked = page.locator(".board .filters"), {}
    for choice, key in (("Chapter", "3"), ("Kind", "l"), ("Verdict", "n")):
        field = form.get_by_label(choice)
        field.focus()
        page.keyboard.type(key)  # chooses the first that begins so
        asked[choice.lower()] = field.input_value()
        left = [one for one in known if all(one[name] == value for name, value in asked.items())]
        shown = page.locator(".board .line:visible").evaluate_all("lines => lines.map(line => line.id)")
        assert shown == [one["id"] for one in left]
        assert form.locator("output").text_content() == f"{len(left)} of {len(known)} claims"
        kinds = {one["kind"] for one in left}
        assert page.locator(".board h3:visible").count() == len(kinds)


def test_a_tile_opens_its_claim_and_the_claim_its_section(opened):
    page = opened("index.html")
    page.locator(".strip a.tile").first.click()
    page.wait_for_url("**/scoreboard.html#claim-*")
    line = page.locator(".board .line:target")
    expect(line.locator("details")).to_have_attribute("open", "")
    line.get_by_role("link", name="Chapter").click()
    page.wait_for_url("**/*.html#*")
    expect(page.locator(":target")).to_be_in_viewport()


# ---- the atlas


def atlas_of(opened, fragment="", **how):
    page = opened(f"atlas/index.html{fragment}", **how)
    return page, json.loads(page.locator("#data").text_content())


def test_a_map_s_address_opens_it_and_escape_leads_back_to_its_card(opened):
    page, data = atlas_of(opened, "#layer-5-map-2")
    expect(page.locator("dialog h2")).to_have_text("Layer 5, map 2")
    trained = data["maps"]["layer-5-map-2"]["captions"]["trained"]
    assert page.locator("#nine + figcaption, figcaption:has(+ #nine)").text_content() == trained
    assert page.evaluate("document.getElementById('nine').decode().then(() => true)")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    expect(page.locator("#layer-5-map-2 a")).to_be_focused()
    page.wait_for_url("**#layer-5")


def test_arrow_keys_and_buttons_step_through_the_maps(opened):
    page, _ = atlas_of(opened, "#layer-5-map-2")
    heading = page.locator("dialog h2")
    page.keyboard.press("ArrowRight")
    expect(heading).to_have_text("Layer 5, map 3")
    page.get_by_role("button", name="Previous").click()
    expect(heading).to_have_text("Layer 5, map 2")


def test_the_epoch_slider_shows_the_recorded_activation_and_moves_the_picture(opened):
    page, data = atlas_of(opened, "#layer-4-map-7")
    history, slider = data["maps"]["layer-4-map-7"]["history"], page.locator("#epoch")
    slider.focus()
    for place in range(len(history) - 1, -1, -1):
        activation, name = history[place]
        text = page.locator("dialog output").text_content()
        assert text.startswith(f"{data['epochs'][place]}: ")
        if activation > 0:
            assert text.endswith(name)
            assert float(text.split()[2].rstrip(",")) == pytest.approx(activation, rel=0.006)
        frame, image = (page.locator(f"dialog {one}").bounding_box() for one in (".frame", "#epochs"))
        assert image["x"] == pytest.approx(frame["x"] - place * image["width"] / len(history), abs=1)
        page.keyboard.press("ArrowLeft")
    expect(page.locator("dialog h2")).to_have_text("Layer 4, map 7")  # the slider has the arrows


def test_maps_are_searched_by_class_and_sorted_by_what_was_measured(opened):
    page, data = atlas_of(opened)
    page.get_by_label("Class or part").fill("wheel")
    cards = page.locator(".maps figure:visible").all()
    assert 0 < len(cards) < len(data["maps"])
    assert all("wheel" in card.text_content().lower() for card in cards)
    page.get_by_label("Class or part").fill("")
    page.get_by_label("Sort by").select_option("activation")
    ids = [card.get_attribute("id") for card in page.locator("section:has(#layer-5) figure").all()]
    values = [data["maps"][one]["traits"]["activation"] for one in ids]
    assert values == sorted(values, reverse=True)


def test_a_card_is_opened_by_keyboard_and_the_drawing_leads_to_a_layer_and_back_to_the_book(opened):
    page, _ = atlas_of(opened)
    page.locator("#layer-3-map-4 a").focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog h2")).to_have_text("Layer 3, map 4")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("navigation").get_by_role("link", name="Layer 2").click()
    page.wait_for_url("**#layer-2")
    page.get_by_role("link", name="Back to the book").click()
    page.wait_for_url("**/03_projections.html")


def test_the_atlas_is_as_dark_as_the_book(opened):
    book = opened("03_projections.html", theme="light")
    for _ in range(3):  # modes of the book's own switch
        if book.evaluate("document.documentElement.dataset.mode") != "dark":
            book.locator(".theme-switch-button:visible").first.click()
    kept = book.evaluate("({...localStorage})")
    page, _ = atlas_of(opened, theme="light", kept=kept)
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(20, 24, 28)"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_an_open_map_has_no_serious_fault_of_access(opened, theme, width):
    page, _ = atlas_of(opened, "#layer-5-map-2", theme=theme, width=width)
    assert page.faults == []
    serious = [
        fault["id"]
        for fault in Axe().run(page).response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert serious == []
