// Numbers as Grafana's units write them.

const TIMES = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"], [1e-3, "ms"]];
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const PLAIN = ["", "K", "Mil", "Bil", "Tri"];

const digits = (value) => {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3)));
};

function scaled(value, base, names) {
  let step = 0;
  while (Math.abs(value) >= base && step < names.length - 1) {
    value /= base;
    step += 1;
  }
  return `${digits(value)} ${names[step]}`.trim();
}

function seconds(value) {
  if (value === 0) return "0 s";
  const [size, name] = TIMES.find(([size]) => Math.abs(value) >= size) ?? TIMES.at(-1);
  return `${digits(value / size)} ${name}`;
}

export function format(value, unit) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "–";
  switch (unit) {
    case "s": return seconds(value);
    case "percentunit": return `${digits(value * 100)}%`;
    case "bytes": return scaled(value, 1024, BINARY);
    case "Bps": return `${scaled(value, 1024, BINARY)}/s`;
    case "ops": return `${digits(value)} ops/s`;
    case "currencyUSD": return `$${digits(value)}`;
    default: return scaled(value, 1000, PLAIN);
  }
}
