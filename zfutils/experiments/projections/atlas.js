// The atlas's page: searching, sorting, and a closer view of one map, whose address is its card's.
"use strict";
const { epochs, maps } = JSON.parse(document.getElementById("data").textContent);
const cards = [...document.querySelectorAll(".maps figure")];
const form = document.querySelector("form"), dialog = document.querySelector("dialog");
const slider = document.getElementById("epoch");
const near = (value) => (typeof value === "number" ? +value.toPrecision(3) : value);

// ---- searching and sorting

function search() {
  const query = form.query.value.trim().toLowerCase();
  for (const card of cards) card.hidden = !card.dataset.words.includes(query);
  for (const section of document.querySelectorAll("main section"))
    section.hidden = !section.querySelector("figure:not([hidden])");
  form.querySelector("output").value = `${visible().length} of ${cards.length} maps`;
}

function sort() {
  const value = (card) => maps[card.id].traits[form.order.value];
  const order = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
    return typeof x === "string" ? x.localeCompare(y) : y - x;
  };
  for (const grid of document.querySelectorAll(".maps"))
    grid.append(...cards.filter((card) => card.parentElement === grid).sort(order));
}

const visible = () => [...document.querySelectorAll(".maps figure:not([hidden])")];

// ---- one map

function picture(image, id, what) {
  const there = maps[id].pictures.includes(what);
  image.hidden = !there;
  if (there) image.src = `${maps[id].folder}-${what}.webp`;
}

function show(id) {
  const map = maps[id];
  dialog.dataset.map = id;
  document.getElementById("which").textContent = map.title;
  const traits = Object.entries(map.traits).map(([name, value]) => `${name}: ${near(value)}`);
  document.getElementById("traits").textContent = traits.join(", ");
  for (const [what, side] of [["nine", "trained"], ["random", "random"]]) {
    const image = document.getElementById(what);
    picture(image, id, what);
    image.parentElement.hidden = !(side in map.captions);
    image.parentElement.querySelector("figcaption").textContent = map.captions[side] ?? "";
  }
  if (slider) {
    picture(document.getElementById("epochs"), id, "epochs");
    atEpoch();
  }
  if (!dialog.open) dialog.showModal();
  document.getElementById("which").focus();
}

function atEpoch() {
  const [activation, name] = maps[dialog.dataset.map].history[slider.value];
  const answer = activation > 0 ? `activation ${near(activation)}, ${name}` : "no answer";
  const text = `${epochs[slider.value]}: ${answer}`;
  dialog.querySelector("output").value = text;
  slider.setAttribute("aria-valuetext", text);
  document.getElementById("epochs").style.translate = `${(-100 * slider.value) / epochs.length}%`;
}

function step(by) {
  const ids = visible().map((card) => card.id), place = ids.indexOf(dialog.dataset.map);
  location.replace(`#${ids[(place + by + ids.length) % ids.length]}`);
}

function follow() {
  const id = decodeURIComponent(location.hash.slice(1));
  if (id in maps) show(id);
  else if (dialog.open) dialog.close();
}

// ---- setting up

for (const card of cards) {
  const traits = Object.values(maps[card.id].traits).filter((value) => typeof value === "string");
  card.dataset.words = [card.textContent, ...traits].join(" ").replaceAll("\u00a0", " ").toLowerCase();
  const link = card.querySelector("a");
  if (link) link.href = `#${card.id}`;
}
form.hidden = false;
form.addEventListener("input", (event) => (event.target === form.order ? sort() : search()));
form.addEventListener("submit", (event) => event.preventDefault());
slider?.addEventListener("input", atEpoch);
dialog.addEventListener("click", (event) => {
  const { value } = event.target;
  if (event.target === dialog || value === "close") dialog.close();
  else if (event.target.type === "button") step(+value);
});
addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by && dialog.open && event.target !== slider) step(by);
});
dialog.addEventListener("close", () => {
  const card = document.getElementById(dialog.dataset.map);
  history.replaceState(null, "", `#${card.parentElement.previousElementSibling.previousElementSibling.id}`);
  (card.querySelector("a") ?? form.query).focus();
});
addEventListener("hashchange", follow);
search();
follow();
