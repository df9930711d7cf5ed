// What a node says of itself every second, as plots.

import { Plot, recent } from "./plot.js";
import { tenth, whole } from "./text.js";

const plots = [
  {
    title: "Connections", unit: "", read: whole,
    parts: [
      { figure: "websocket", name: "WebSocket", kind: "websocket" },
      { figure: "sse", name: "SSE", kind: "sse" },
      { figure: "poll", name: "poll", kind: "plain" },
    ],
  },
  one("Deliveries", "per second", "deliveries_per_second", whole),
  one("Publishes", "per second", "publishes_per_second", whole),
  one("Lag of the slowest", "events", "lag", whole),
  one("CPU", "%", "cpu_percent", tenth),
  one("Memory", "MiB", "memory_mib", tenth),
];

function one(title, unit, figure, read) {
  return { title, unit, read, parts: [{ figure, kind: "plain" }] };
}

export class Figures {
  #plots;
  #shown;
  #samples = [];
  #frame = 0;

  // shown is called with the newest figures whenever they were drawn.
  constructor(parent, shown) {
    this.#plots = plots.map((plot) => new Plot(parent, plot));
    this.#shown = shown;
  }

  // add takes figures of a moment. Two minutes of history come at once: they
  // are drawn once.
  add(figures, time) {
    this.#samples.push({ ...figures, memory_mib: figures.memory_bytes / 2 ** 20, time });
    recent(this.#samples);
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  // clear is for another node's figures.
  clear() {
    this.#samples = [];
    for (const plot of this.#plots) plot.clear();
  }

  #draw() {
    this.#frame = 0;
    if (this.#samples.length === 0) return;
    for (const plot of this.#plots) plot.draw(this.#samples);
    this.#shown(this.#samples.at(-1));
  }
}
