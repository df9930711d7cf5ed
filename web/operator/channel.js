// One channel: its newest events and what comes, older ones on demand, its
// readers on the answering node, and a test event.

import { Feed } from "./feed.js";
import { channelPath, clock, whole } from "../look/text.js";
import { ask, Refused } from "./session.js";
import { answered, every, facts, make, parts, row, states } from "./show.js";

const rewind = 30;
const most = 500; // events that are shown

export function showChannel(element, { isChosen, refused }) {
  const part = parts(element);
  const input = part.choose.elements.channel;
  let name = "";
  let oldest = "";
  let first = ""; // that is retained
  let connected = ""; // the node that this page reads the channel on
  let close = () => {};

  const trouble = (error) => (part.trouble.textContent = error?.message ?? "");
  const append = (event, older) => {
    const shown = item(event);
    if (older) part.events.append(shown);
    else part.events.prepend(shown);
    if (event.id && (older || !oldest)) oldest = event.id;
    if (!older && part.events.childElementCount > most) {
      part.events.lastElementChild.remove();
      oldest = part.events.lastElementChild.dataset.id;
    }
    offer();
  };
  const offer = () => (part.older.hidden = !oldest || oldest === first || part.events.childElementCount >= most);
  const choose = (channel) => {
    close();
    name = input.value = channel;
    oldest = first = connected = "";
    trouble();
    part.events.replaceChildren();
    part.readers.replaceChildren();
    facts(part.facts, []);
    part.told.textContent = "";
    part.older.hidden = true;
    part.inside.hidden = false;
    part.outcome.textContent = part.unused.textContent = "";
    const feed = new Feed([channel], { rewind }, {
      state: states(element, part.status),
      event: (event) => append(event, false),
      gap: (gap) => part.events.prepend(missing(gap)),
      trouble,
      welcome: ({ node }) => (connected = node),
    });
    const polling = every(2000, () => ask(channelPath(channel)).then((now) => {
      if (channel !== name) return;
      first = now.log.first ?? "";
      answered(part, now.node, isChosen);
      look(part, now, connected);
      offer();
    }, refused));
    feed.open();
    close = () => { feed.close(); polling.stop(); };
  };
  part.choose.addEventListener("submit", (event) => {
    event.preventDefault();
    choose(input.value.trim());
  });
  part.older.addEventListener("click", () => {
    const channel = name;
    ask(`${channelPath(channel)}/events?limit=${rewind}&before=${oldest}`).then((page) => {
      if (channel !== name) return;
      for (const event of page.events.reverse()) append(event, true);
      if (!page.more) first = oldest;
      offer();
    }, trouble);
  });
  part.publish.addEventListener("submit", (event) => {
    event.preventDefault();
    publish(name, part);
  });
  return { choose, close: () => close() };
}

function look(part, { log, here, readers, more, node }, connected) {
  facts(part.facts, [
    ["Retained", whole(log.events)],
    ["First event", log.first ?? "–"],
    ["Last", log.last ?? "–"],
    ["Base", log.base ?? "–"],
    ["Readers there", whole(here?.readers ?? 0)],
    ["Events in memory there", whole(here?.tail_events ?? 0)],
    ...(here?.lag > 0 ? [["Slowest there behind by", whole(here.lag), true]] : []),
  ]);
  part.readers.replaceChildren(...readers.map((reader) =>
    row(reader.user ?? (reader.key ? `key ${reader.key}` : "–"), reader.transport, reader.lag > 0 ? make("span", whole(reader.lag), "alarm") : null, make("span", reader.position, "mono id"), reader.connection && make("span", reader.connection, "mono"))));
  const alone = readers.length <= (connected === node ? 1 : 0);
  part.unused.textContent = log.used ? "" : `Nobody has ever published to this name${alone ? ", and nobody but this page reads it there: is it spelt right?" : "."}`;
  const others = more ? `; only the first ${readers.length} are shown` : "";
  const page = connected === node ? "This page is one of them." : connected && `This page reads on node ${connected}.`;
  part.told.textContent = `As node ${node} sees it${others}. ${page}`;
}

function item({ id, event, data, text, from, time }) {
  const shown = document.createElement("li");
  shown.dataset.id = id ?? "";
  const meta = make("p", "", "meta");
  meta.append(make("span", id ?? "ephemeral", id ? "mono id" : "mono"));
  if (event && event !== "message") meta.append(make("span", event, "kind"));
  if (from) meta.append(make("span", `from ${from}`));
  const at = make("time", clock.format(new Date(time ?? Date.now())));
  meta.append(at);
  shown.append(make("pre", text ?? JSON.stringify(data), "data-shown"), meta);
  return shown;
}

function missing({ missed, reason, last_event_id: last }) {
  const shown = document.createElement("li");
  shown.className = "missing";
  shown.dataset.id = last;
  shown.append(make("p", `Gap (${reason}): ${missed ?? "nobody knows how many"} events are gone before ${last}.`, "data-shown"));
  return shown;
}

async function publish(channel, part) {
  const { event, kind, data } = part.publish.elements;
  const query = event.value ? `?${new URLSearchParams({ event: event.value })}` : "";
  const say = (text, bad) => {
    part.outcome.textContent = text;
    part.outcome.classList.toggle("bad", bad);
  };
  try {
    const { id } = await ask(`${channelPath(channel)}/events${query}`, { method: "POST", headers: { "Content-Type": kind.value }, body: data.value });
    say(`Published as ${id}.`, false);
  } catch (error) {
    say(error instanceof Refused ? `Not published: ${error.message}; the token needs that right.` : error.message, true);
  }
}
