// The operator's page: asks for a token where one is needed, then shows.

import { showChannel } from "./channel.js";
import { showChannels } from "./channels.js";
import { showNode } from "./node.js";
import { ask, forget, known, Refused, remember } from "./session.js";

const form = document.getElementById("ask");
const told = form.querySelector(".outcome");
const panels = ["node", "channels", "channel"].map((id) => document.getElementById(id));
const button = document.getElementById("forget");
// Behind a balancer any node answers, and not only the chosen one.
const isChosen = (node) => node === panels[0].dataset.node;
const inside = showChannel(panels[2], { isChosen, refused });
let stop = () => {};

async function begin() {
  try {
    const { node } = await ask("/node");
    form.hidden = true;
    button.hidden = !known();
    for (const panel of panels) panel.hidden = false;
    const end = [showNode(panels[0], node, refused), showChannels(panels[1], { choose, isChosen, refused }), inside.close];
    stop = () => end.forEach((each) => each());
  } catch (error) {
    if (error instanceof Refused) askAgain(known() ? error.message : "");
    else {
      say(`${error.message} Trying again.`);
      form.hidden = false;
      setTimeout(begin, 3000);
    }
  }
}

function choose(channel) {
  inside.choose(channel);
  panels[2].scrollIntoView();
}

// refused is told every trouble: one that a new token would cure asks for it.
function refused(error) {
  if (error instanceof Refused && !panels[0].hidden) askAgain(error.message);
}

function askAgain(why) {
  // A page that begins anew has nothing of the one before.
  const again = !panels[0].hidden;
  stop();
  forget();
  if (again) location.reload();
  form.hidden = false;
  button.hidden = true;
  if (why) say(why, true);
  form.elements.token.focus();
}

function say(text, bad = false) {
  told.textContent = text;
  told.classList.toggle("bad", bad);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  remember(form.elements.token.value);
  form.reset();
  begin();
});
button.addEventListener("click", () => askAgain(""));
begin();
