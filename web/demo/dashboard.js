// The dashboard: the node's own figures, which it publishes every second.

import { Figures } from "../look/figures.js";
import { duration, whole } from "../look/text.js";
import { timeOf } from "./feed.js";
import { Panel } from "./panel.js";
import { SSEFeed } from "./ssefeed.js";

export function dashboard(element, { node, moved }) {
  const panel = new Panel(element);
  const figures = new Figures(panel.part("plots"), (now) => facts(element, now));
  let feed = null;

  const listener = panel.listener(({ id, value }) => figures.add(value, id ? timeOf(id) : Date.now()));
  const follow = (name) => {
    feed?.close();
    figures.clear();
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

function facts(element, now) {
  const show = (fact, text) => (element.querySelector(`[data-fact="${fact}"]`).textContent = text);
  show("version", now.version);
  show("store", now.store);
  show("uptime", duration(now.uptime_seconds));
  show("channels", whole(now.channels));
  show("subscriptions", whole(now.subscriptions));
}
