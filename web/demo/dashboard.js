// The dashboard: the node's own figures, which it publishes every second.

import { timeOf } from "./feed.js";
import { Panel } from "./panel.js";
import { Plot, recent } from "../look/plot.js";
import { SSEFeed } from "./ssefeed.js";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

const plots = [
  {
    title: "Connections", unit: "",
    lines: [
      { figure: "sse", name: "SSE", kind: "sse" },
      { figure: "websocket", name: "WebSocket", kind: "websocket" },
    ],
    read: (sample) => whole.format(sample.connections),
  },
  plain("Deliveries", "per second", "deliveries_per_second", whole),
  plain("Publishes", "per second", "publishes_per_second", whole),
  plain("CPU", "%", "cpu_percent", tenth),
  plain("Memory", "MiB", "memory_mib", tenth),
  plain("Goroutines", "", "goroutines", whole),
];

function plain(title, unit, figure, format) {
  return { title, unit, lines: [{ figure, kind: "plain" }], read: (sample) => format.format(sample[figure]) };
}

export function dashboard(element, { node, moved }) {
  const panel = new Panel(element);
  const drawn = plots.map((plot) => new Plot(panel.part("plots"), plot));
  const samples = [];
  let frame = 0;
  let feed = null;

  // Two minutes of history come at once: they are drawn once.
  const draw = () => {
    frame = 0;
    if (samples.length === 0) return;
    for (const plot of drawn) plot.draw(samples);
    facts(element, samples.at(-1));
  };
  const listener = panel.listener(({ id, value }) => {
    samples.push({ ...value, memory_mib: value.memory_bytes / 2 ** 20, time: id ? timeOf(id) : Date.now() });
    recent(samples);
    frame ||= requestAnimationFrame(draw);
  });
  const follow = (name) => {
    feed?.close();
    samples.length = 0;
    feed = new SSEFeed(`$node:${name}`, 120, ["message"], {
      ...listener,
      // A hub that was restarted, or another one, has a channel of its own.
      welcome: (welcome) => {
        if (welcome.node === name) return;
        moved(welcome.node);
        follow(welcome.node);
      },
    });
    panel.run(feed);
  };
  follow(node);
}

function facts(element, sample) {
  const show = (fact, text) => (element.querySelector(`[data-fact="${fact}"]`).textContent = text);
  show("channels", whole.format(sample.channels));
  show("subscriptions", whole.format(sample.subscriptions));
  show("uptime", duration(sample.uptime_seconds));
}

function duration(seconds) {
  const [days, hours, minutes] = [86400, 3600, 60].map((unit) => Math.floor(seconds / unit));
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  if (minutes > 0) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds)} s`;
}
