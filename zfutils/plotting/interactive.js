// A figure that answers to the hand (`zfutils.plotting.interactive`): all states are in its data.
for (const figure of document.querySelectorAll("figure.hand:not(.live)")) {
  figure.classList.add("live");
  const { start, square, groups, names, scenes } = JSON.parse(figure.querySelector("script").textContent);
  const picture = figure.querySelector(".picture"), patch = figure.querySelector(".square");
  const image = picture.querySelector("img"), slider = figure.querySelector("input[type=range]");
  const lists = [...figure.querySelectorAll("ul")], n = square.length;
  let scene = 0, state = start;

  const written = (group, value) => {
    if (value === null) return "none";
    return group.percent ? `${(100 * value).toFixed(1)}\u00a0%` : value.toFixed(2);
  };

  const show = () => {
    const { strip, labels, rows } = scenes[scene], [[wide, first], [, second]] = strip;
    image.style.width = `${wide}%`;
    image.style.translate = `${first + state * (second - first)}%`;
    if (patch) {
      const [[left, width], [top, height]] = [square[state % n], square[Math.floor(state / n)]];
      const ends = { left, top, width, height };
      for (const [side, end] of Object.entries(ends)) patch.style[side] = `${100 * end}%`;
    }
    groups.forEach((group, which) => {
      rows[state][which].forEach(([name, value], place) => {
        const [label, bar, number] = lists[which].children[place].children;
        label.textContent = names[name];
        bar.firstElementChild.style.width = `${100 * Math.min(Math.max(value / group.most, 0), 1)}%`;
        number.textContent = written(group, value);
      });
    });
    figure.querySelector(".state").textContent = labels[state];
    if (slider) {
      slider.value = state;
      slider.setAttribute("aria-valuetext", labels[state]);
    }
  };

  figure.addEventListener("change", (event) => {
    if (event.target.type !== "radio") return;
    scene = +event.target.value;
    image.src = scenes[scene].image;
    image.alt = event.target.parentElement.textContent.trim();
    show();
  });
  slider?.addEventListener("input", () => {
    state = +slider.value;
    show();
  });
  if (patch) {
    const follow = (event) => {
      const box = picture.getBoundingClientRect();
      const place = (at, from, length) => Math.min(Math.max(Math.floor((n * (at - from)) / length), 0), n - 1);
      state = n * place(event.clientY, box.top, box.height) + place(event.clientX, box.left, box.width);
      show();
    };
    picture.addEventListener("pointermove", follow);
    picture.addEventListener("pointerdown", follow);
    picture.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
      if (!(event.key in steps)) return;
      event.preventDefault();
      event.stopPropagation();
      const inside = (place) => Math.min(Math.max(place, 0), n - 1);
      const [down, across] = steps[event.key];
      state = n * inside(Math.floor(state / n) + down) + inside((state % n) + across);
      show();
    });
  }
  show();
}
