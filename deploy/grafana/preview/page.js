// Draws a dashboard from its JSON, for machines that have a Prometheus and no Grafana.
// ?dashboard=UID&minutes=15, or &from=UNIX&to=UNIX; &var-queue=submit and so on choose as Grafana's variables do.

import { chart } from "./charts.js";
import { list, numbers } from "./panels.js";
import { Source } from "./source.js";

const PAGES = ["novabatch-overview", "novabatch-pipeline", "novabatch-storage", "novabatch-consumer"];
const asked = new URLSearchParams(location.search);

async function lines(panel, source) {
  const found = (await Promise.all(panel.targets.map((target) => source.range(target)))).flat();
  return found.length ? [chart(found, panel, source)] : [];
}

const DRAW = { stat: numbers, table: list, timeseries: lines };

async function draw(panel, source) {
  const box = document.createElement("section");
  const { x, y, w, h } = panel.gridPos;
  box.style.gridArea = `${y + 1} / ${x + 1} / span ${h} / span ${w}`;
  box.title = panel.description;
  box.dataset.title = panel.title;
  const head = document.createElement("h3");
  head.textContent = panel.title;
  const body = Object.assign(document.createElement("div"), { className: "body" });
  box.append(head, body);
  document.querySelector("main").append(box);
  const blank = panel.fieldConfig.defaults.noValue;
  try {
    const drawn = await DRAW[panel.type](panel, source);
    box.dataset.state = drawn.length ? "data" : blank ? "none" : "empty";
    body.append(...(drawn.length ? drawn : [said(blank ?? "No data")]));
  } catch (error) {
    box.dataset.state = "error";
    body.append(said(error.message));
  }
}

const said = (text) => Object.assign(document.createElement("div"), { className: "blank", textContent: text });

function heading(panel) {
  const title = Object.assign(document.createElement("h2"), { textContent: panel.title });
  title.style.gridArea = `${panel.gridPos.y + 1} / 1 / span 1 / span 24`;
  document.querySelector("main").append(title);
}

function navigate(dashboard) {
  const nav = document.querySelector("nav");
  nav.append(Object.assign(document.createElement("b"), { textContent: dashboard.title }));
  for (const uid of PAGES) {
    const there = new URLSearchParams(asked);
    there.set("dashboard", uid);
    nav.append(Object.assign(document.createElement("a"), { href: `?${there}`, textContent: uid.slice(10) }));
  }
}

async function page() {
  const dashboard = await (await fetch(`../dashboards/${asked.get("dashboard") ?? PAGES[0]}.json`)).json();
  const to = Number(asked.get("to") ?? Date.now() / 1000);
  const from = Number(asked.get("from") ?? to - 60 * (asked.get("minutes") ?? 15));
  const chosen = dashboard.templating.list.map(({ name }) => [name, asked.get(`var-${name}`) ?? ".*"]);
  const values = { ...Object.fromEntries(chosen), __rate_interval: asked.get("interval") ?? "1m" };
  const source = new Source(from, to, values);
  navigate(dashboard);
  await Promise.all(dashboard.panels.map((each) => (each.type === "row" ? heading(each) : draw(each, source))));
  document.body.dataset.drawn = dashboard.panels.length;
}

page();
