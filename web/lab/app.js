import { connect } from "/runnel.js";
import { Firewall } from "./firewall.js";
import { Publisher } from "./publisher.js";
import { Score } from "./score.js";

const part = (id) => document.getElementById(id);
const names = { ws: "WebSocket", sse: "SSE + POST", poll: "Long-poll" };
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
// How many lines the log and the chat show; older ones go.
const shown = 100;

const score = new Score();

function show() {
  for (const name of ["sent", "received", "lost", "doubled"]) part(name).textContent = score[name];
  for (const name of ["lost", "doubled"]) part(name).classList.toggle("bad", score[name] !== 0);
  const waiting = score.waiting(performance.now());
  const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
  if (waiting !== null) part("recovery").textContent = `${seconds(waiting)} …`;
  else if (score.recovery !== null) part("recovery").textContent = seconds(score.recovery);
}

function add(list, ...content) {
  const line = document.createElement("li");
  line.append(...content);
  list.append(line);
  if (list.childElementCount > shown) list.firstElementChild.remove();
  list.scrollTop = list.scrollHeight;
  return line;
}

function log(text) {
  const time = document.createElement("time");
  time.textContent = clock.format(new Date());
  add(part("log"), time, text);
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

function chat(channel) {
  const form = part("talk");
  channel.on("chat", ({ id, data }) => {
    const line = document.createElement("p");
    line.className = "said";
    line.textContent = typeof data?.text === "string" ? data.text : JSON.stringify(data);
    const mark = document.createElement("p");
    mark.className = "meta mono";
    mark.textContent = id;
    add(part("messages"), line, mark);
  });
  form.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    const text = form.elements.text.value;
    form.elements.text.value = "";
    try {
      await channel.publish({ text }, { event: "chat" });
    } catch (error) {
      log(`Not sent: ${error.message}`);
      form.elements.text.value ||= text;
    }
  });
  for (const control of form.elements) control.disabled = false;
}

// switches sends all of them whenever one changes, one request at a time.
function switches(firewall) {
  const all = [...part("switches").querySelectorAll("input")];
  let last = Promise.resolve();
  part("switches").addEventListener("change", ({ target }) => {
    const faults = Object.fromEntries(all.map(({ name, value, checked }) => [name, value === "20" ? (checked ? 20 : 0) : checked]));
    last = last.then(async () => {
      try {
        await firewall.set(faults);
        trouble(null);
        score.changed(performance.now());
        log(`${target.closest("label").querySelector("b").textContent}: ${target.checked ? "on" : "off"}`);
      } catch (error) {
        target.checked = !target.checked;
        trouble(error);
      }
    });
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
  const publisher = new Publisher(name, (n) => { score.sent = n; });
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
