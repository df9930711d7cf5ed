// Channels, a page at a time: those that the answering node follows, or all
// that its store has.

import { whole } from "../look/text.js";
import { ask } from "./session.js";
import { answered, every, make, parts, row } from "./show.js";

const pageSize = 25;
const lists = {
  read: {
    heads: ["Channel", "Readers", "Behind", "In memory", "Last event"],
    which: "Read on node",
    when: " now or a moment ago",
    pause: 2000,
    cells: ({ readers, lag, tail_events: events, tail_bytes: bytes, last_event_id: last }) =>
      [whole(readers), lag > 0 ? make("span", whole(lag), "alarm") : null, `${whole(events)} (${whole(bytes / 1024)} KiB)`, id(last)],
  },
  stored: {
    heads: ["Channel", "Events stored", "Readers there", "Last event"],
    which: "In the store, read or not, as told by node",
    when: "",
    pause: 20_000, // it costs the store more
    cells: ({ readers, events, last_event_id: last }) => [whole(events), whole(readers), id(last)],
  },
};

export function showChannels(element, { choose, isChosen, refused }) {
  const part = parts(element);
  let list = lists.read;
  let after = "";
  let next = null;
  let shown = "";
  let due = 0; // when to ask again

  const show = (answer) => {
    answered(part, answer.node, isChosen);
    next = answer.next;
    part.first.hidden = after === "";
    part.next.hidden = !answer.more;
    part.told.textContent = counted(answer.channels.length, answer.more);
    // A button that has the focus is to keep it: rows are made anew only when they changed.
    const text = JSON.stringify(answer.channels);
    if (text === shown) return;
    shown = text;
    const focused = document.activeElement?.dataset.channel;
    part.rows.replaceChildren(...answer.channels.map((channel) => row(button(channel.channel, choose), ...list.cells(channel))));
    if (focused) part.rows.querySelector(`[data-channel="${CSS.escape(focused)}"]`)?.focus();
  };
  const polling = every(2000, async () => {
    if (Date.now() < due) return;
    const asked = list;
    due = Date.now() + asked.pause - 100;
    const query = new URLSearchParams({ prefix: part.prefix.value.trim(), after, limit: pageSize });
    if (asked === lists.stored) query.set("stored", "true");
    await ask(`/channels?${query}`).then((answer) => asked === list && show(answer), (error) => {
      part.told.textContent = error.message;
      refused(error);
    });
  });
  const turn = (to) => {
    after = to;
    due = 0;
    polling.now();
  };
  const take = (name) => {
    list = lists[name];
    part.which.textContent = list.which;
    part.when.textContent = list.when;
    part.heads.replaceChildren(...list.heads.map((text) => Object.assign(make("th", text), { scope: "col" })));
    part.rows.replaceChildren();
    shown = "";
    turn("");
  };
  part.list.onchange = () => take(part.list.value);
  part.prefix.oninput = () => turn("");
  part.first.onclick = () => turn("");
  part.next.onclick = () => turn(next);
  take(part.list.value);
  return polling.stop;
}

// counted says what stands there; a store without an order of names can have an
// empty page before others.
function counted(shown, more) {
  if (shown === 0) return more ? "None on this page; there may be more on the next." : "None.";
  const channels = shown === 1 ? "1 channel" : `${shown} channels`;
  return more ? `${channels}, and more on the next page.` : `${channels}.`;
}

function button(channel, choose) {
  const made = make("button", channel);
  made.type = "button";
  made.dataset.channel = channel;
  made.addEventListener("click", () => choose(channel));
  return made;
}

const id = (last) => last && make("span", last, "mono id");
