"use strict";
(() => {
  const root = document.documentElement;

  // A colour is {"css": "--name"}: its value depends on light, dark or print.
  const resolve = (value, style) => {
    if (Array.isArray(value)) return value.map((item) => resolve(item, style));
    if (value === null || typeof value !== "object") return value;
    if (typeof value.css === "string") return style.getPropertyValue(value.css).trim();
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, resolve(item, style)]),
    );
  };

  const draw = (width) => {
    const style = getComputedStyle(root);
    const drawn = [...document.querySelectorAll("[data-figure]")].map((source) => {
      const figure = resolve(JSON.parse(source.textContent), style);
      if (width) figure.layout.width = width;
      const options = { displayModeBar: false, responsive: !width };
      return Plotly.react(source.dataset.figure, figure.data, figure.layout, options);
    });
    return Promise.all(drawn);
  };

  const redraw = () => draw();
  draw().then(() => { root.dataset.figures = "drawn"; });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => { root.dataset.print = ""; draw(640); });
  addEventListener("afterprint", () => { delete root.dataset.print; redraw(); });
})();
