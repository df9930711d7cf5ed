// A panel shows how one feed is doing: its state, its position, a button that
// cuts it for ten seconds, and what became of the events meanwhile.

const seconds = 10;

const words = {
  connecting: "connecting",
  live: "live",
  reconnecting: "reconnecting",
  paused: "paused while hidden",
  closed: "closed",
};

export class Panel {
  #parts;
  #feed = null;
  #cut = null; // while cut: {left, timer}
  #announce = 0;

  constructor(element) {
    this.element = element;
    this.#parts = Object.fromEntries(
      [...element.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]),
    );
    this.#parts.cut.addEventListener("click", () => (this.#cut ? this.#back() : this.#cutNow()));
    document.addEventListener("visibilitychange", () => this.#cut || this.#open());
  }

  part(name) {
    return this.#parts[name];
  }

  // listener is what a feed of this panel tells its news to; events go on to
  // the given function.
  listener(event) {
    return {
      event,
      state: (name) => this.#state(name),
      position: (id) => (this.#parts.position.textContent = id),
      account: (account) => this.#say(tell(account), Boolean(account.gap)),
      trouble: (text) => this.#say(text, true),
    };
  }

  run(feed) {
    this.#feed = feed;
    this.#open();
  }

  // Over HTTP/1.1 browsers allow six connections per host, for all tabs
  // together: one that nobody sees gives its own back, and resumes later.
  #open() {
    if (document.hidden) this.#feed.close("paused");
    else this.#feed.open();
  }

  #state(name) {
    this.element.dataset.state = name;
    this.#parts.status.textContent = words[name] ?? name;
  }

  #cutNow() {
    this.#cut = { left: seconds, timer: setInterval(() => this.#tick(), 1000) };
    this.#feed.close("cut");
    this.#say(this.#feed.position ? `The next connection will go on after ${this.#feed.position}.` : "");
    this.#parts.cut.textContent = "Reconnect now";
    this.#count();
  }

  #tick() {
    this.#cut.left--;
    if (this.#cut.left > 0) this.#count();
    else this.#back();
  }

  #count() {
    this.#parts.status.textContent = `cut, back in ${this.#cut.left} s`;
  }

  #back() {
    clearInterval(this.#cut.timer);
    this.#cut = null;
    this.#parts.cut.textContent = `Cut for ${seconds} s`;
    this.#open();
  }

  // #say waits a moment, so that a screen reader hears of a burst once.
  #say(text, bad = false) {
    clearTimeout(this.#announce);
    this.#announce = setTimeout(() => {
      this.#parts.account.textContent = text;
      this.#parts.account.classList.toggle("bad", bad);
    }, 150);
  }
}

function tell({ after, count, gap }) {
  if (gap) return `${gapSentence(gap)} Meanwhile ${came(count)} after ${gap.last_event_id}.`;
  return `Missed nothing: meanwhile ${came(count)} after ${after}.`;
}

function came(count) {
  if (count === 0) return "no event came";
  return count === 1 ? "1 event came" : `${count} events came`;
}

// gapSentence repeats what the hub said, number and reason.
export function gapSentence({ after, missed, reason, resumed_at: resumed }) {
  const where = after ? ` after ${after}` : "";
  const next = resumed ? `, the next is ${resumed}` : "";
  return `Gap (${reason}): ${gone(missed)}${where}${next}.`;
}

function gone(missed) {
  if (missed === null) return "the hub cannot know how many events are gone";
  return missed === 1 ? "1 event is gone" : `${missed} events are gone`;
}
