// Asks Prometheus, which serves this page too.

const ask = async (path, parameters) => {
  const answer = await fetch(`/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const told = await answer.json();
  if (told.status !== "success") throw new Error(told.error);
  return told.data.result;
};

const number = (text) => (text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text));

export class Source {
  constructor(from, to, values) {
    this.from = from;
    this.to = to;
    this.values = values;
    this.step = Math.max(1, Math.round((to - from) / 240));
  }

  write(text) {
    return text.replace(/\$\{?(\w+)\}?/g, (all, name) => this.values[name] ?? all);
  }

  async now(target) {
    const found = await ask("query", { query: this.write(target.expr), time: this.to });
    return found.map((each) => ({ labels: each.metric, value: number(each.value[1]) }));
  }

  async range(target) {
    const { from: start, to: end, step } = this;
    const found = await ask("query_range", { query: this.write(target.expr), start, end, step });
    return found.map((each) => ({
      name: named(target.legendFormat, each.metric),
      points: each.values.map(([time, text]) => [time, number(text)]),
    }));
  }
}

export const named = (legend, labels) =>
  legend.replace(/\{\{(\w+)\}\}/g, (_, label) => labels[label] ?? "").trim();
