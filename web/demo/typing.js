// Who is typing: ephemeral events, which nobody stores and no late reader gets.
// They go through runnel.js, over the one connection that all tabs share.

import { connect } from "/runnel.js";

const every = 2000; // ms between two signs of one who types on
const lasts = 5000; // ms that a sign counts

export function typing(form, line, channel) {
  const { name, text } = form.elements;
  const tab = Math.random().toString(36).slice(2);
  const room = connect(location.origin, { user: "demo" }).channel(channel);
  const typists = new Map(); // tab → {name, timer}
  const show = () => {
    const names = [...new Set([...typists.values()].map((typist) => typist.name))];
    line.textContent = names.length === 0 ? "" : `${names.join(", ")} ${names.length === 1 ? "is" : "are"} typing …`;
  };
  const stop = (who) => {
    clearTimeout(typists.get(who)?.timer);
    if (typists.delete(who)) show();
  };
  room.on("typing", ({ data }) => {
    if (!data?.tab || data.tab === tab) return;
    stop(data.tab);
    if (!data.name) return;
    typists.set(data.tab, { name: String(data.name).slice(0, 40), timer: setTimeout(() => stop(data.tab), lasts) });
    show();
  });
  const tell = (who) => room.publish({ tab, name: who }, { event: "typing", ephemeral: true }).catch(() => {});
  let last = 0;
  text.addEventListener("input", () => {
    if (!text.value || Date.now() - last < every) return;
    last = Date.now();
    tell(name.value);
  });
  form.addEventListener("submit", () => {
    last = 0;
    tell("");
  });
}
