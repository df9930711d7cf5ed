// A feed reads one channel, remembers its position, and goes on from there
// whenever it connects again. Over which transport is said by its heirs, in
// ssefeed.js and socketfeed.js; what they tell their listener is alike:
//
//   state(name)       "connecting", "live", "reconnecting", or what close got
//   event(event)      {id, type, value, ephemeral}
//   account(account)  after coming back: {after, count, gap}, again whenever
//                     it changed; gap is the hub's own message or null
//   position(id)      moved
//   trouble(text)     a sentence from the hub
//   welcome(welcome)  what the hub says of itself, if anybody wants to know

import { channelPath } from "../look/text.js";

// The hub is never silent for longer than 25 s, so this much silence is a
// connection that died without telling.
const silence = 65_000;

// timeOf reads the moment of appending out of an event ID, to show it and to
// tell what came while away; nothing is ordered or compared by it.
export function timeOf(id) {
  return Number(id.split("-")[0]);
}

export class Feed {
  position = "";
  #listener;
  #account = null;
  #watchdog = 0;
  #again = 0;

  constructor(channel, rewind, listener) {
    this.channel = channel;
    this.rewind = rewind;
    this.#listener = listener;
  }

  open() {
    this.close("connecting");
    this.alive();
    this.connect();
  }

  // close ends the connection; open goes on from the position.
  close(state = "closed") {
    clearTimeout(this.#again);
    clearTimeout(this.#watchdog);
    this.disconnect();
    this.state(state);
  }

  reopen(delay) {
    this.close("reconnecting");
    this.#again = setTimeout(() => this.open(), delay * (0.75 + Math.random() / 2));
  }

  url(resource) {
    const url = new URL(`${channelPath(this.channel)}/${resource}`, location.href);
    if (this.position) url.searchParams.set("last_event_id", this.position);
    else url.searchParams.set("rewind", this.rewind);
    return url;
  }

  alive() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.reopen(500), silence);
  }

  state(name) {
    this.#listener.state(name);
  }

  trouble(text) {
    this.#listener.trouble(text);
  }

  welcome(welcome) {
    this.#listener.welcome?.(welcome);
  }

  // started is what both transports call once the hub said where they begin.
  started(position) {
    if (this.position) {
      this.#account = { after: this.position, until: Date.now(), count: 0, gap: null };
      this.#listener.account(this.#account);
    } else {
      this.trouble("");
    }
    this.move(position);
    this.state("live");
  }

  move(position) {
    if (!position) return;
    this.position = position;
    this.#listener.position(position);
  }

  received(event) {
    this.move(event.id);
    this.#listener.event(event);
    if (this.#account && event.id && timeOf(event.id) <= this.#account.until) {
      this.#account.count++;
      this.#listener.account(this.#account);
    }
  }

  gap(gap) {
    if (!this.#account || this.#account.gap || this.#account.count > 0) {
      this.#account = { after: gap.after, until: Date.now(), count: 0 };
    }
    this.#account.gap = gap;
    this.move(gap.last_event_id);
    this.#listener.account(this.#account);
  }
}
