// A node at a glance: its own figures, live, and the other nodes to choose.

import { Figures } from "../look/figures.js";
import { duration, tenth, whole } from "../look/text.js";
import { Feed } from "./feed.js";
import { facts, parts, states } from "./show.js";

// A node says every 3 s that it is there.
const goneAfter = 10_000;

export function showNode(element, first, trouble) {
  const part = parts(element);
  part.plots.replaceChildren(); // of who looked before
  const figures = new Figures(part.plots, (now) => facts(part.facts, glance(now)));
  const heard = new Map([[first, Date.now()]]); // nodes, and when
  let chosen = first;
  let answering = first; // the node that this page is connected to
  let feed = null;

  const state = states(element, part.status);
  const event = ({ channel, data, time }) => {
    if (channel === "$nodes") return announced(data.node);
    announced(data.node);
    state("live");
    figures.add(data, time ? Date.parse(time) : Date.now());
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
    figures.clear();
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
  const troubles = [
    ["Resumed with a gap", counts(gaps), true],
    ["Errors answered", counts(Object.entries(now.errors))],
    ["Errors of the log", count(now.log_errors), true],
    ["Peers vanished", count(now.write_timeouts)],
    ["State", now.draining && "draining", true],
  ].filter(([, value]) => value);
  return [
    ["Version", now.version],
    ["Store", now.store],
    ["Up for", duration(now.uptime_seconds)],
    ["Subscriptions", whole(now.subscriptions)],
    ["Channels", whole(now.channels)],
    ["In memory", `${tenth(now.tail_bytes / 2 ** 20)} MiB`],
    ["Goroutines", whole(now.goroutines)],
    ...(now.resumes > 0 ? [["Resumed exactly", whole(now.resumes)]] : []),
    ...(troubles.length > 0 ? troubles : [["Troubles since its start", "none"]]),
  ];
}

// What is zero says nothing.
const count = (number) => (number > 0 ? whole(number) : "");
const counts = (entries) => entries.map(([name, number]) => `${whole(number)} ${name}`).join(", ");
