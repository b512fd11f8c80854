"use strict";
(() => {
  const source = document.getElementById("animation-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const stage = document.getElementById("animation-stage");
  const find = (selector) => stage.querySelector(selector);
  const NEW = "http://www.w3.org/2000/svg";
  const CELL = [66, 38], LEFT = 66, TOP = 20, TICK = 3, UNIT = 25, ROW = 17, GAP = 3;
  const sign = (value) => String(value).replace("-", "\u2212");

  const add = (parent, tag, attributes = {}, text) => {
    const element = document.createElementNS(NEW, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  };
  const canvas = (parent, width, height, label) =>
    add(parent, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  const colour = (group) => (group < 0 ? "" : `--key: var(--group-${group})`);
  const groupOf = data.columns.map((_, place) => data.groups.findIndex((g) => g.includes(place)));

  // The filter matrix, its columns on their way to their groups, and the tiles that run.
  const makeMatrix = (parent) => {
    const rows = data.filters.length, count = data.columns.length, groups = data.groups.length;
    const slot = (group) => (count + GAP + group) * UNIT;
    const height = 16 + rows * ROW;
    const svg = canvas(parent, (count + GAP + groups) * UNIT, height + 4, "Filter matrix and packed filter matrix");
    const level = (row) => 16 + (rows - 1 - row) * ROW;
    const drawSlots = (x, name) => {
      add(svg, "text", { x: x + UNIT / 2, y: 11, class: "small" }, name);
      for (let row = 0; row < rows; row++) {
        add(svg, "rect", { x: x + 1, y: level(row) + 1, width: UNIT - 2, height: ROW - 2, class: "slot" });
      }
    };
    data.columns.forEach((name, place) => drawSlots(place * UNIT, name));
    data.groups.forEach((_, group) => drawSlots(slot(group), String.fromCharCode(65 + group)));
    const drawColumn = (place) => {
      const column = add(svg, "g", { style: colour(groupOf[place]) });
      data.weights.forEach((weights, row) => {
        if (!weights[place]) return;
        add(column, "rect", { x: 1, y: level(row) + 1, width: UNIT - 2, height: ROW - 2, rx: 2, class: "weight" });
        const text = sign(weights[place]);
        add(column, "text", { x: UNIT / 2, y: level(row) + 12.5, class: text.length > 3 ? "tight" : "" }, text);
      });
      return column;
    };
    const move = (column, x) => { column.style.transform = `translate(${x}px, 0)`; };
    const still = data.columns.map((_, place) => drawColumn(place));
    still.forEach((column, place) => move(column, place * UNIT));
    const flying = data.columns.map((_, place) => drawColumn(place));
    flying.forEach((column) => column.classList.add("flying"));
    const frames = [0, 1].map(() => add(svg, "rect", { class: "frame", y: 15, height: rows * ROW + 2 }));
    const frame = (index, tile) => {
      const box = frames[index];
      box.style.display = tile ? "" : "none";
      if (!tile) return;
      const first = index ? slot(0) : tile.inputs[0][0] * UNIT;
      box.setAttribute("x", first);
      box.setAttribute("width", tile.inputs.length * UNIT);
    };
    return (packed, tiles) => {
      data.columns.forEach((_, place) => {
        const there = groupOf[place] < packed;
        still[place].classList.toggle("gone", there && !tiles);
        move(flying[place], there ? slot(groupOf[place]) : place * UNIT);
      });
      frames.forEach((_, index) => frame(index, tiles && tiles[index]));
    };
  };

  const makeArray = (parent, panel, index) => {
    const { rows, columns, tiles } = panel;
    const last = tiles[tiles.length - 1];
    const right = LEFT + columns * CELL[0];
    const bottom = TOP + rows * CELL[1];
    const width = right + 66 + panel.positions * TICK;
    const svg = canvas(parent, width, bottom + 16 + 12 * panel.channels, `Array of ${rows} times ${columns} cells`);
    const level = (row) => TOP + (rows - 1 - row) * CELL[1];
    const heads = [], inputs = [], cells = [], starts = [], ends = [], ticks = [];
    for (let column = 0; column < columns; column++) {
      const x = LEFT + column * CELL[0], middle = x + CELL[0] / 2;
      heads.push(add(svg, "text", { x: middle, y: 13, class: "small" }));
      inputs.push(Array.from({ length: panel.channels }, (_, channel) => {
        const y = bottom + 14 + channel * 12;
        return [
          add(svg, "text", { x: x + 12, y, class: "chip" }),
          add(svg, "text", { x: x + CELL[0] - 12, y, class: "small end" }),
        ];
      }));
    }
    for (let row = 0; row < rows; row++) {
      const y = level(row);
      add(svg, "text", { x: 0, y: y + 15, class: "small start" }, `filter ${data.filters[row]}`);
      starts.push(add(svg, "text", { x: LEFT - 8, y: y + 29, class: "small end" }));
      ends.push(add(svg, "text", { x: right + 56, y: y + 22, class: "end" }));
      ticks.push(Array.from({ length: panel.positions }, (_, position) =>
        add(svg, "rect", { x: right + 64 + position * TICK, y: y + 8, width: TICK - 1, height: 20, class: "tick" })));
      cells.push(Array.from({ length: columns }, (_, column) => {
        const x = LEFT + column * CELL[0];
        return {
          box: add(svg, "rect", { x: x + 2, y: y + 2, width: CELL[0] - 4, height: CELL[1] - 4, rx: 4, class: "cell" }),
          product: add(svg, "text", { x: x + CELL[0] / 2, y: y + 16 }),
          chip: add(svg, "text", { x: x + 8, y: y + 30, class: "chip" }),
          sum: add(svg, "text", { x: x + CELL[0] - 7, y: y + 30, class: "small end" }),
        };
      }));
    }

    // The tile whose word is at a place that words reach `delay` word times after they enter.
    const at = (step, delay) => {
      for (const tile of tiles) {
        const position = step - tile.start - delay;
        if (position >= 0 && position < panel.positions) return [tile, position];
      }
      return [null, -1];
    };
    const heldBy = (step, delay) =>
      tiles.filter((tile) => tile === tiles[0] || step - tile.start - delay >= 0).at(-1);

    const drawCell = (step, row, column) => {
      const { box, product, chip, sum } = cells[row][column];
      const delay = panel.multiplexer + row + column;
      const [tile, position] = at(step, delay);
      const held = heldBy(step, delay);
      const loaded = held !== tiles[0] || step >= held.loads[column];
      const value = loaded && column < held.inputs.length ? held.values[row][column] : 0;
      const group = loaded && column < held.inputs.length ? groupOf[held.inputs[column][0]] : -1;
      box.style = colour(group);
      chip.style = colour(group);
      box.classList.toggle("set", value !== 0);
      box.classList.toggle("busy", tile !== null);
      box.classList.toggle("next", tiles.some((one) => one.loads[column] === step));
      product.textContent = value === 0 ? "" : sign(value) + (tile ? `\u200a\u00d7\u200a${sign(tile.words[row][column][position])}` : "");
      product.classList.toggle("tight", product.textContent.length > 8);
      chip.textContent = value !== 0 && panel.channels > 1 ? held.chosen[row][column] : "";
      sum.textContent = tile ? sign(tile.sums[row][column + 1][position]) : "";
    };
    const drawRow = (step, row) => {
      const [first, entering] = at(step, panel.multiplexer + row);
      starts[row].textContent = first ? sign(first.sums[row][0][entering]) : "";
      const reach = panel.multiplexer + row + columns - 1;
      const [tile, position] = at(step, reach);
      ends[row].textContent = tile ? sign(tile.sums[row][columns][position]) : "";
      ends[row].setAttribute("class", tile === last ? "end strong" : "end part");
      const complete = step - last.start - reach;
      ticks[row].forEach((tick, place) => tick.classList.toggle("full", place <= complete));
    };
    const drawInput = (step, column) => {
      const [tile, position] = at(step, column);
      const present = heldBy(step, column);
      const group = column < present.inputs.length ? present.inputs[column] : [];
      heads[column].textContent = !group.length ? "" :
        index ? `group ${String.fromCharCode(65 + groupOf[group[0]])}` : `column ${data.columns[group[0]]}`;
      inputs[column].forEach(([name, word], channel) => {
        const place = tile && column < tile.inputs.length ? tile.inputs[column][channel] : undefined;
        name.style = colour(place === undefined ? -1 : groupOf[place]);
        name.textContent = place === undefined || panel.channels === 1 ? "" : channel;
        word.textContent = place === undefined ? "" : sign(data.words[place][position]);
      });
    };
    return (step) => {
      for (let row = 0; row < rows; row++) {
        drawRow(step, row);
        for (let column = 0; column < columns; column++) drawCell(step, row, column);
      }
      for (let column = 0; column < columns; column++) drawInput(step, column);
      return step < 0 || step > panel.last ? null : heldBy(step, 0);
    };
  };

  const drawMatrix = makeMatrix(find(".matrix"));
  const boxes = [...stage.querySelectorAll(".array")];
  const drawArrays = data.panels.map((panel, index) => makeArray(boxes[index].querySelector(".cells"), panel, index));
  const packing = data.packing.length;
  const steps = Math.max(...data.panels.map((panel) => panel.last));
  const slider = find("input"), caption = find(".controls + .caption");
  slider.max = packing + steps;

  const drawPanel = (box, panel, step, tile) => {
    const clock = box.querySelector(".clock"), text = box.querySelector(".step");
    clock.replaceChildren();
    text.textContent = "";
    if (step < 0) {
      clock.textContent = "Waits for its weights";
      text.textContent = panel.waiting;
      return;
    }
    const now = Math.min(step, panel.last);
    const time = document.createElement("b");
    time.textContent = `word time ${now}`;
    const share = panel.busy[now] ? Math.round((100 * panel.useful[now]) / panel.busy[now]) : 0;
    const place = tile ? `tile ${panel.tiles.indexOf(tile) + 1} of ${panel.tiles.length}` : "done";
    clock.append(time, `${place}, ${share} % of ${panel.busy[now].toLocaleString("en")} multiplications useful`);
    text.textContent = step > panel.last ? panel.done : panel.captions[step];
  };
  const show = (frame) => {
    const step = frame - packing;
    const tiles = drawArrays.map((draw) => draw(step));
    drawMatrix(Math.min(frame, packing - 1), step < 0 ? null : tiles);
    boxes.forEach((box, index) => drawPanel(box, data.panels[index], step, tiles[index]));
    caption.textContent = step < 0
      ? (frame ? `Packing, step ${frame} of ${packing - 1}. ` : "") + data.packing[frame]
      : step === steps ? data.end : `Streaming, word time ${step} of ${steps}.`;
    slider.value = frame;
    slider.setAttribute("aria-valuetext", step < 0 ? `packing ${frame}` : `word time ${step}`);
  };

  let timer = 0;
  const play = find("[data-do=play]");
  const stop = () => {
    clearTimeout(timer);
    timer = 0;
    play.textContent = "Play";
    play.setAttribute("aria-label", "Play");
    caption.setAttribute("aria-live", "polite");
  };
  const advance = () => {
    const frame = Number(slider.value);
    if (frame >= packing + steps) { stop(); return; }
    show(frame + 1);
    timer = setTimeout(advance, (frame + 1 < packing ? 1600 : 500) / Number(find("select").value));
  };
  const start = () => {
    if (Number(slider.value) >= packing + steps) show(0);
    play.textContent = "Pause";
    play.setAttribute("aria-label", "Pause");
    caption.setAttribute("aria-live", "off");
    timer = setTimeout(advance, 300);
  };
  const go = (frame) => { stop(); show(Math.max(0, Math.min(packing + steps, frame))); };
  const actions = {
    play: () => (timer ? stop() : start()),
    first: () => go(0),
    back: () => go(Number(slider.value) - 1),
    forward: () => go(Number(slider.value) + 1),
    stream: () => go(packing),
  };
  for (const button of stage.querySelectorAll("button")) {
    button.addEventListener("click", actions[button.dataset.do]);
  }
  slider.addEventListener("input", () => go(Number(slider.value)));
  show(0);
  document.documentElement.dataset.animation = "ready";
})();
