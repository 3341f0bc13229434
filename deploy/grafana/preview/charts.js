// Lines and areas over time, as SVG.

import { format } from "./format.js";

const COLOURS = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d",
  "#fade2a", "#447ebc", "#c15c17", "#890f02", "#0a437c", "#6d1f62", "#584477", "#b7dbab", "#f4d598"];
const W = 560, H = 180, LEFT = 76, BOTTOM = 16, TOP = 6;

const finite = (series) => series.flatMap((each) => each.points.map(([, y]) => y)).filter(Number.isFinite);

function piled(series) {
  const sums = new Map();
  return series.map((each) => ({
    ...each,
    points: each.points.map(([time, y]) => {
      const below = sums.get(time) ?? 0;
      sums.set(time, below + (Number.isFinite(y) ? y : 0));
      return [time, sums.get(time), below];
    }),
  }));
}

// Points further apart than two steps and what is not finite break a line.
function pieces(points, step) {
  const found = [];
  let before = -Infinity;
  for (const point of points) {
    if (!Number.isFinite(point[1])) continue;
    if (point[0] - before > 2 * step) found.push([]);
    found.at(-1).push(point);
    before = point[0];
  }
  return found;
}

export function chart(series, panel, source) {
  const { unit, custom, thresholds } = panel.fieldConfig.defaults;
  const stacked = custom.stacking.mode === "normal";
  const shown = stacked ? piled(series) : series;
  const steps = custom.thresholdsStyle.mode === "line" ? thresholds.steps.slice(1) : [];
  const top = Math.max(...finite(shown), 0) * 1.08 || 1;
  const x = (time) => LEFT + ((time - source.from) / (source.to - source.from)) * (W - LEFT - 6);
  const y = (value) => H - BOTTOM - (value / top) * (H - BOTTOM - TOP);
  const drawn = [...grid(top, unit, source, x, y)];
  shown.forEach((each, n) => {
    const colour = COLOURS[n % COLOURS.length];
    for (const piece of pieces(each.points, source.step)) {
      const line = piece.map(([time, value]) => `${x(time).toFixed(1)},${y(value).toFixed(1)}`);
      if (stacked) {
        const back = piece.toReversed().map(([time, , below]) => `${x(time).toFixed(1)},${y(below).toFixed(1)}`);
        drawn.push(`<polygon points="${[...line, ...back].join(" ")}" fill="${colour}" fill-opacity=".4"/>`);
      }
      drawn.push(`<polyline points="${line.join(" ")}" fill="none" stroke="${colour}" stroke-width="1.6"/>`);
    }
  });
  for (const { color, value } of steps.filter((each) => each.value <= top)) {
    drawn.push(`<line x1="${LEFT}" x2="${W}" y1="${y(value)}" y2="${y(value)}" stroke="${color}" stroke-dasharray="5"/>`);
  }
  const box = document.createElement("div");
  box.className = "chart";
  box.innerHTML = `<div class="plot"><svg viewBox="0 0 ${W} ${H}" preserveAspectRatio="none">${drawn.join("")}</svg></div>`;
  box.append(legend(series));
  return box;
}

function* grid(top, unit, source, x, y) {
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const value = (top / 1.08) * share;
    yield `<line x1="${LEFT}" x2="${W}" y1="${y(value)}" y2="${y(value)}" stroke="#2c3235"/>`;
    yield `<text x="${LEFT - 5}" y="${y(value) + 3}" text-anchor="end">${format(value, unit)}</text>`;
  }
  for (const share of [0.1, 0.5, 0.9]) {
    const time = source.from + (source.to - source.from) * share;
    const told = new Date(time * 1000).toISOString().slice(11, 19);
    yield `<text x="${x(time)}" y="${H - 3}" text-anchor="middle">${told}</text>`;
  }
}

function legend(series) {
  const box = document.createElement("div");
  box.className = "legend";
  series.forEach((each, n) => {
    const entry = document.createElement("span");
    entry.innerHTML = `<i style="background:${COLOURS[n % COLOURS.length]}"></i>`;
    entry.append(each.name || "value");
    box.append(entry);
  });
  return box;
}
