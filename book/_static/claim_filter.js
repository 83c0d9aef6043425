// Shows the lines of the scoreboard that match the choices above them; without this script all are shown.
document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll(".board form.filters")) {
    const lines = [...form.parentElement.querySelectorAll(".line")];
    const choose = () => {
      const asked = [...form.querySelectorAll("select")].filter((one) => one.value);
      for (const line of lines) line.hidden = asked.some((one) => line.dataset[one.name] !== one.value);
      for (const section of form.parentElement.querySelectorAll("section"))
        section.hidden = !section.querySelector(".line:not([hidden])");
      const shown = lines.filter((line) => !line.hidden).length;
      form.querySelector("output").textContent = `${shown} of ${lines.length} claims`;
    };
    form.hidden = false;
    form.addEventListener("change", choose);
    choose();
  }
  // A claim that is linked to is marked by the style sheet, and its registration unfolds.
  const unfold = () => {
    const line = location.hash && document.getElementById(location.hash.slice(1));
    if (line && line.matches(".board .line")) line.querySelector("details").open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();
});
