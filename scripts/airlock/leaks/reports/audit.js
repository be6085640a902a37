"use strict";
(() => {
  const bar = document.querySelector(".bar");
  const body = document.querySelector("tbody");
  if (!body) return;
  bar.hidden = false;
  const rows = [...body.rows].map((row) => ({ row, text: row.textContent.toLowerCase() }));
  const words = document.getElementById("words");
  const boxes = [...bar.querySelectorAll("[data-show]")];
  const only = bar.querySelector("[data-only]");

  function filter() {
    const asked = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kinds = new Set(boxes.filter((box) => box.checked).map((box) => box.dataset.show));
    let count = 0;
    for (const { row, text } of rows) {
      const wanted =
        kinds.has(row.dataset.kind) &&
        (!only.checked || row.dataset.state === "present") &&
        asked.every((word) => text.includes(word));
      row.hidden = !wanted;
      count += wanted ? 1 : 0;
    }
    document.getElementById("shown").textContent = `${count} of ${rows.length}`;
  }

  function sort(head, index) {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => row.cells[index].dataset.key ?? row.cells[index].textContent.trim();
    rows
      .sort((a, b) => key(a.row).localeCompare(key(b.row), "en", { numeric: true }) * (up ? 1 : -1))
      .forEach(({ row }) => body.append(row));
  }

  [...document.querySelectorAll("thead th")].forEach((head, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head, index));
  });
  bar.addEventListener("input", filter);
  filter();
})();
