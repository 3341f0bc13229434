// Numbers and lists.

import { format } from "./format.js";
import { named } from "./source.js";

const COLOURS = { green: "#2f7d3b", yellow: "#b58a00", red: "#c4162a" };

function coloured(value, { thresholds, mappings = [] }) {
  const mapped = mappings[0]?.options[String(value)];
  const step = thresholds.steps.findLast((each) => each.value === null || value >= each.value);
  return { colour: COLOURS[mapped?.color ?? step.color], text: mapped?.text };
}

export async function numbers(panel, source) {
  const { defaults } = panel.fieldConfig;
  const found = (await source.now(panel.targets[0])).filter((each) => !Number.isNaN(each.value));
  return found.map(({ labels, value }) => {
    const { colour, text } = coloured(value, defaults);
    const box = document.createElement("div");
    box.className = "value";
    box.style.background = colour;
    const shown = document.createElement("b");
    shown.textContent = text ?? format(value, defaults.unit);
    box.append(shown);
    const name = named(panel.targets[0].legendFormat, labels);
    if (name) box.append(Object.assign(document.createElement("span"), { textContent: name }));
    return box;
  });
}

export async function list(panel, source) {
  const found = await source.now(panel.targets[0]);
  if (!found.length) return [];
  const { indexByName, renameByName } = panel.transformations[0].options;
  const names = Object.keys(indexByName).sort((a, b) => indexByName[a] - indexByName[b]);
  const cells = ({ labels, value }, name) =>
    name === "Value" ? format(value, panel.fieldConfig.defaults.unit) : (labels[name] ?? "");
  const used = names.filter((name) => found.some((each) => cells(each, name) !== ""));
  const table = document.createElement("table");
  const row = (tag, texts) => {
    const line = table.insertRow();
    for (const text of texts) line.append(Object.assign(document.createElement(tag), { textContent: text }));
  };
  row("th", used.map((name) => renameByName[name] ?? name));
  for (const each of found) row("td", used.map((name) => cells(each, name)));
  return [table];
}
