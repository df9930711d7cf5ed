// Who is typing in a room: ephemeral events, which nobody stores and no late
// reader gets.

const every = 2000; // ms between two signs of one who types on
const lasts = 5000; // ms that a sign counts

const tab = Math.random().toString(36).slice(2);

// Typists are those who type in one room.
export class Typists {
  #signs = new Map(); // tab → {name, timer}
  #changed;

  constructor(changed) {
    this.#changed = changed;
  }

  // take takes a sign: {tab, name}, without a name from who has stopped.
  take(sign) {
    if (!sign?.tab || sign.tab === tab) return;
    this.#stop(sign.tab);
    if (sign.name) {
      const timer = setTimeout(() => this.#stop(sign.tab), lasts);
      this.#signs.set(sign.tab, { name: String(sign.name).slice(0, 40), timer });
    }
    this.#changed();
  }

  get sentence() {
    const names = [...new Set([...this.#signs.values()].map(({ name }) => name))];
    if (names.length === 0) return "";
    return `${names.join(", ")} ${names.length === 1 ? "is" : "are"} typing …`;
  }

  #stop(who) {
    clearTimeout(this.#signs.get(who)?.timer);
    if (this.#signs.delete(who)) this.#changed();
  }
}

// tells returns {on, off}: to call on every stroke in a channel, and when what
// was typed is sent or left.
export function tells() {
  let told = null; // {channel, at}
  const tell = (channel, name) => channel.publish({ tab, name }, { event: "typing", ephemeral: true }).catch(() => {});
  return {
    on(channel, name) {
      if (told?.channel === channel && Date.now() - told.at < every) return;
      told = { channel, at: Date.now() };
      tell(channel, name);
    },
    off() {
      if (told) tell(told.channel, "");
      told = null;
    },
  };
}
