// The channels that the answering node follows, a page at a time.

import { ask } from "./session.js";
import { answered, every, make, parts, row, whole } from "./show.js";

const pageSize = 25;

export function showChannels(element, { choose, isChosen, refused }) {
  const part = parts(element);
  let after = "";
  let last = "";
  let shown = "";

  const show = (answer) => {
    answered(part, answer.node, isChosen);
    last = answer.channels.at(-1)?.channel ?? "";
    part.first.hidden = after === "";
    part.next.hidden = !answer.more;
    part.told.textContent = counted(answer.channels.length, answer.more);
    // A button that has the focus is to keep it: rows are made anew only when they changed.
    const text = JSON.stringify(answer.channels);
    if (text === shown) return;
    shown = text;
    const focused = document.activeElement?.dataset.channel;
    part.rows.replaceChildren(...answer.channels.map((channel) => line(channel, choose)));
    if (focused) part.rows.querySelector(`[data-channel="${CSS.escape(focused)}"]`)?.focus();
  };
  const polling = every(2000, async () => {
    const query = new URLSearchParams({ prefix: part.prefix.value.trim(), after, limit: pageSize });
    await ask(`/channels?${query}`).then(show, (error) => {
      part.told.textContent = error.message;
      refused(error);
    });
  });
  const turn = (to) => {
    after = to;
    polling.now();
  };
  part.prefix.oninput = () => turn("");
  part.first.onclick = () => turn("");
  part.next.onclick = () => turn(last);
  return polling.stop;
}

function counted(shown, more) {
  if (shown === 0) return "None.";
  const channels = shown === 1 ? "1 channel" : `${shown} channels`;
  return more ? `${channels}, and more on the next page.` : `${channels}.`;
}

function line({ channel, readers, lag, tail_events: events, tail_bytes: bytes, last_event_id: last }, choose) {
  const button = make("button", channel);
  button.type = "button";
  button.dataset.channel = channel;
  button.addEventListener("click", () => choose(channel));
  const behind = make("span", whole(lag), lag > 0 ? "alarm" : "");
  return row(button, whole(readers), behind, `${whole(events)} (${whole(bytes / 1024)} KiB)`, last && make("span", last, "mono id"));
}
