import { connect } from "/runnel.js";
import { clock } from "../look/text.js";
import { Firewall } from "./firewall.js";
import { Publisher } from "./publisher.js";
import { Score } from "./score.js";

const part = (id) => document.getElementById(id);
const names = { ws: "WebSocket", sse: "SSE + POST", poll: "Long-poll" };
// How many lines the log and the chat show; older ones go.
const shown = 100;

const score = new Score();

function show() {
  if (score.begun === 0) return; // nothing to count yet
  for (const name of ["sent", "received", "lost", "doubled"]) part(name).textContent = score[name];
  for (const name of ["lost", "doubled"]) part(name).classList.toggle("bad", score[name] !== 0);
  const waiting = score.waiting(performance.now());
  const seconds = (ms) => `${(Math.ceil(ms / 100) / 10).toFixed(1)} s`; // rounded up: nothing takes no time
  if (waiting !== null) part("recovery").textContent = `${seconds(waiting)} …`;
  else if (score.recovery !== null) part("recovery").textContent = seconds(score.recovery);
}

function add(list, ...content) {
  const line = document.createElement("li");
  line.append(...content);
  list.append(line);
  if (list.childElementCount > shown) list.firstElementChild.remove();
  list.parentElement.scrollTop = list.parentElement.scrollHeight; // what the list scrolls in
  return line;
}

function log(text) {
  const time = document.createElement("time");
  time.textContent = clock.format(new Date());
  return add(part("log"), time, text);
}

function trouble(error) {
  part("trouble").textContent = error?.message ?? "";
  part("trouble").hidden = !error;
}

// follow shows the state of the connection, and each change of the rung.
function follow(hub) {
  let rung = null;
  hub.on("state", ({ state, transport }) => {
    part("state").textContent = state;
    part("score").dataset.state = state === "connected" ? "live" : state;
    part("rung").textContent = names[transport] ?? "–";
    if (transport && transport !== rung) log(`Comes over ${names[transport]}`);
    if (!transport && rung) log("The connection is gone");
    rung = transport;
  });
}

function say(text, meta) {
  const line = document.createElement("p");
  line.className = "said";
  line.textContent = text;
  const mark = document.createElement("p");
  mark.className = "meta mono";
  mark.textContent = meta;
  return add(part("messages"), line, mark);
}

// chat shows what was said here as waiting until it comes like any other
// message: its number tells which it is.
function chat(channel) {
  const form = part("talk");
  const waiting = new Map();
  let said = 0;
  const done = (number) => {
    waiting.get(number)?.remove();
    waiting.delete(number);
  };
  channel.on("chat", ({ id, data }) => {
    done(data?.number);
    say(typeof data?.text === "string" ? data.text : JSON.stringify(data), id);
  });
  form.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    const text = form.elements.text.value;
    form.elements.text.value = "";
    const number = ++said;
    const line = say(text, "waiting to go out");
    line.classList.add("waiting");
    waiting.set(number, line);
    try {
      const id = await channel.publish({ text, number }, { event: "chat" });
      if (waiting.has(number)) line.lastElementChild.textContent = `${id}, on its way back`;
    } catch (error) {
      done(number);
      log(`Not sent: ${error.message}`);
      form.elements.text.value ||= text;
    }
  });
  for (const control of form.elements) control.disabled = false;
}

// switches sends all of them whenever one changes, one request at a time. The
// log has a change before what follows from it: it stands there once it is asked for.
function switches(firewall) {
  const all = [...part("switches").querySelectorAll("input")];
  let last = Promise.resolve();
  part("switches").addEventListener("change", ({ target }) => {
    const faults = Object.fromEntries(all.map(({ name, value, checked }) => [name, value === "20" ? (checked ? 20 : 0) : checked]));
    const line = log(`${target.closest("label").querySelector("b").textContent}: ${target.checked ? "on" : "off"}`);
    const mine = last = last.then(async () => {
      try {
        await firewall.set(faults);
        trouble(null);
        score.changed(performance.now());
      } catch (error) {
        line.remove();
        target.checked = !target.checked;
        trouble(error);
      }
      if (mine === last) part("switches").ariaBusy = null;
    });
    part("switches").ariaBusy = "true";
  });
  part("switches").disabled = false;
}

function pausing(publisher) {
  part("pause").addEventListener("click", () => {
    if (publisher.running) publisher.stop();
    else publisher.start();
    part("pause").textContent = publisher.running ? "Stop publishing" : "Publish again";
  });
  part("pause").disabled = false;
}

async function begin() {
  const firewall = await Firewall.make();
  addEventListener("pagehide", () => firewall.end());
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  const name = `lab:${firewall.id}`;
  const publisher = new Publisher(name, {
    begun: (n) => { score.begun = n; },
    sent: (n) => { score.sent = n; },
  });
  // It climbs back sooner than usual, and waits less after many breaks in a
  // row, for people who watch.
  const hub = connect(firewall.url, { share: false, timing: { climbMin: 5000, climbMax: 10_000, backoffMax: 2000 } });
  follow(hub);
  const channel = hub.channel(name);
  channel.on("count", ({ data }) => score.receive(data.n, performance.now()));
  channel.on("gap", ({ missed, reason }) => log(`A gap: ${missed ?? "some"} events are gone (${reason})`));
  channel.on("start", () => publisher.running || score.sent || publisher.start());
  chat(channel);
  switches(firewall);
  pausing(publisher);
  setInterval(show, 100);
}

begin().catch(trouble);
