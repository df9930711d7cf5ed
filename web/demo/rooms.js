// The chat rooms. runnel.js carries them on one connection, which the browser's
// tabs share. Which one is open stands in the page's fragment, as the channel's
// name, so that it can be sent to somebody; that may be another room than those
// offered, too.

import { connect } from "/runnel.js";
import { Messages } from "./messages.js";
import { Room } from "./room.js";
import { speak } from "./say.js";

const offered = ["chat:lobby", "chat:deploys", "chat:support"];
const named = /^chat:[A-Za-z0-9_\-.:@~]{1,123}$/; // as protocol.md has it
const transports = { ws: "WebSocket", sse: "SSE", poll: "long-poll" };

// rooms calls opened with the channel of each room that is opened.
export function rooms(element, { opened }) {
  const part = (name) => element.querySelector(`[data-part="${name}"]`);
  const hub = connect(location.origin, { user: "demo" });
  const messages = new Messages(part("messages"));
  const typing = part("typing");
  const say = speak(part("say"));
  const links = new Map(); // channel → {room, link}
  let current = null;

  const enter = (name) => {
    const link = part("rooms").appendChild(document.createElement("a"));
    link.href = `#${name}`;
    link.append(name.slice("chat:".length), mark());
    const room = new Room(hub, name, () => show());
    links.set(name, { room, link });
  };
  const show = () => {
    for (const { room, link } of links.values()) tell(link, room);
    typing.textContent = current?.typists.sentence ?? "";
  };
  // Of rooms that are not offered one is kept.
  const enterOnly = (name) => {
    for (const [other, { room, link }] of links) {
      if (offered.includes(other)) continue;
      room.leave();
      link.remove();
      links.delete(other);
    }
    enter(name);
  };
  const open = (name) => {
    if (current?.name === name) return;
    current?.shut();
    if (!links.has(name)) enterOnly(name);
    current = links.get(name).room;
    for (const [each, { link }] of links) link.setAttribute("aria-current", each === name);
    part("messages").parentElement.setAttribute("aria-label", `Messages in ${name}`);
    current.open(messages);
    say(current.channel);
    show();
    opened(name);
  };
  const turn = () => {
    const name = location.hash.slice(1);
    if (named.test(name)) open(name);
    else if (!current || name === "") open(offered[0]); // else it is a place in the page
  };

  hub.on("state", ({ state, transport }) => {
    element.dataset.state = state === "connected" ? "live" : state;
    part("status").textContent = transport ? `${state} · ${transports[transport]}` : state;
    if (state === "connected" && current && !current.complete) current.open(messages);
  });
  offered.forEach(enter);
  addEventListener("hashchange", turn);
  turn();
}

function mark() {
  const unread = document.createElement("span");
  unread.className = "unread";
  return unread;
}

function tell(link, { unread }) {
  const mark = link.querySelector(".unread");
  const text = unread > 99 ? "99+" : String(unread || "");
  if (mark.textContent === text) return;
  mark.textContent = text;
  if (unread) link.setAttribute("aria-label", `${link.firstChild.textContent}, ${unread} unread`);
  else link.removeAttribute("aria-label");
}
