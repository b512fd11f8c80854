"use strict";
(() => {
  const read = (row, place) => {
    const text = row.cells[place].textContent.trim();
    const value = Number(text.replaceAll(",", "").replace("−", "-"));
    return { text, value: text === "" || Number.isNaN(value) ? null : value };
  };

  // Numbers by value, texts after them by letter; what is absent comes last both ways.
  const order = (a, b, sign) => {
    if (a.value !== null && b.value !== null) return sign * (a.value - b.value);
    if (a.value !== null || b.value !== null) return a.value === null ? 1 : -1;
    return sign * a.text.localeCompare(b.text, "en", { numeric: true });
  };

  const sort = (table, header) => {
    const sign = header.ariaSort === "descending" ? 1 : -1;
    for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.matches(".first, .total"));
      rows.sort((a, b) => order(read(a, header.cellIndex), read(b, header.cellIndex), sign));
      for (const row of rows) body.insertBefore(row, body.querySelector(".total"));
    }
  };

  for (const table of document.querySelectorAll("table.sorts")) {
    for (const header of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      button.addEventListener("click", () => sort(table, header));
      header.append(button);
    }
  }
  addEventListener("beforeprint", () => {
    for (const record of document.querySelectorAll("#provenance details")) record.open = true;
  });
  document.documentElement.dataset.script = "ready";
})();
