// A node at a glance: its own figures, live, and the other nodes to choose.

import { Plot, recent } from "../look/plot.js";
import { Feed } from "./feed.js";
import { duration, facts, parts, states, tenth, whole } from "./show.js";

// A node says every 3 s that it is there.
const goneAfter = 10_000;

const plots = [
  {
    title: "Connections", unit: "",
    lines: [
      { figure: "sse", name: "SSE", kind: "sse" },
      { figure: "websocket", name: "WebSocket", kind: "websocket" },
      { figure: "poll", name: "poll", kind: "plain" },
    ],
    read: (sample) => whole(sample.connections),
  },
  plain("Deliveries", "per second", "deliveries_per_second", whole),
  plain("Publishes", "per second", "publishes_per_second", whole),
  plain("Lag of the slowest", "events", "lag", whole),
  plain("CPU", "%", "cpu_percent", tenth),
  plain("Memory", "MiB", "memory_mib", tenth),
];

function plain(title, unit, figure, format) {
  return { title, unit, lines: [{ figure, kind: "plain" }], read: (sample) => format(sample[figure]) };
}

export function showNode(element, first, trouble) {
  const part = parts(element);
  const drawn = plots.map((plot) => new Plot(part.plots, plot));
  const heard = new Map([[first, Date.now()]]); // nodes, and when
  const samples = [];
  let chosen = first;
  let answering = first; // the node that this page is connected to
  let feed = null;
  let frame = 0;

  const state = states(element, part.status);
  const draw = () => {
    frame = 0;
    if (samples.length === 0) return;
    for (const plot of drawn) plot.draw(samples);
    facts(part.facts, glance(samples.at(-1)));
  };
  const event = ({ channel, data, time }) => {
    if (channel === "$nodes") return announced(data.node);
    announced(data.node);
    state("live");
    samples.push({ ...data, memory_mib: data.memory_bytes / 2 ** 20, time: time ? Date.parse(time) : Date.now() });
    recent(samples);
    frame ||= requestAnimationFrame(draw);
  };
  const announced = (name) => {
    heard.set(name, Date.now());
    for (const [other, at] of heard) {
      if (other !== chosen && Date.now() - at > goneAfter) heard.delete(other);
    }
    options(part.nodes, [...heard.keys()].sort(), chosen);
    if (!heard.has(answering) || heard.get(chosen) > Date.now() - goneAfter) return;
    // It ended. Where it was the one that answered, another one took its place.
    if (chosen === first && answering !== first) follow((first = answering));
    else state("gone");
  };
  const follow = (name) => {
    feed?.close();
    chosen = element.dataset.node = name;
    heard.set(name, Date.now());
    samples.length = 0;
    facts(part.facts, []);
    part.channel.textContent = `$node:${name}`;
    options(part.nodes, [...heard.keys()].sort(), chosen);
    feed = new Feed([`$node:${name}`, "$nodes"], { rewind: 120 }, { event, trouble, state, welcome: ({ node }) => (answering = node) });
    feed.open();
  };
  part.nodes.addEventListener("change", () => follow(part.nodes.value));
  follow(first);
  return () => feed.close();
}

// options leaves the list alone while nothing changes: somebody may have it open.
function options(select, names, chosen) {
  if (names.join() !== [...select.options].map((option) => option.value).join()) {
    select.replaceChildren(...names.map((name) => new Option(name, name)));
  }
  if (select.value !== chosen) select.value = chosen;
}

function glance(now) {
  const gaps = Object.entries(now.gaps).filter(([, count]) => count > 0);
  const errors = Object.entries(now.errors);
  return [
    ["Version", now.version],
    ["Store", now.store],
    ["Up for", duration(now.uptime_seconds)],
    ["Subscriptions", whole(now.subscriptions)],
    ["Channels", whole(now.channels)],
    ["In memory", `${tenth(now.tail_bytes / 2 ** 20)} MiB`],
    ["Goroutines", whole(now.goroutines)],
    ["Resumed exactly", whole(now.resumes)],
    ["Resumed with a gap", counts(gaps), gaps.length > 0],
    ["Errors answered", counts(errors)],
    ["Errors of the log", whole(now.log_errors), now.log_errors > 0],
    ["Peers vanished", whole(now.write_timeouts)],
    ...(now.draining ? [["State", "draining", true]] : []),
  ];
}

function counts(entries) {
  return entries.map(([name, count]) => `${whole(count)} ${name}`).join(", ") || "none";
}
