// A plot draws the last two minutes of a figure, or of parts stacked to their
// sum, as SVG. A pointer over it, or the arrow keys, read what was.

const span = 120_000;
// Samples come every second; where one is missing the line is broken.
const hole = 2_600;
const width = 120;
const height = 40;
const namespace = "http://www.w3.org/2000/svg";
const steps = { ArrowLeft: -1000, ArrowRight: 1000, PageUp: 10_000, PageDown: -10_000, Home: -span, End: span };

export class Plot {
  #parts; // the lowest first
  #element;
  #cursor;
  #read;
  #back = null; // how far the reader looks back, in ms; null: nobody reads
  #samples = [];

  // parts: [{figure, name, kind}], kind being the CSS class that colours it;
  // read gives the text of a value. Parts that others stand on begin with them.
  constructor(parent, { title, unit, parts, read }) {
    const figure = document.getElementById("plot").content.cloneNode(true).firstElementChild;
    this.#element = (name) => figure.querySelector(name);
    this.#read = read;
    this.#element(".title").textContent = title;
    this.#element(".unit").textContent = unit;
    const svg = this.#element("svg");
    this.#parts = parts.map((part) => ({ ...part }));
    // A part that is nothing has the line of the one beneath: that is drawn later.
    for (const kind of ["area", "line", "end"]) {
      for (const part of [...this.#parts].reverse()) part[kind] = path(svg, `${kind} ${part.kind}`);
    }
    this.#cursor = path(svg, "cursor");
    keys(this.#element(".keys"), parts);
    this.#listen(this.#element(".chart"), title);
    parent.append(figure);
  }

  draw(samples) {
    this.#samples = samples;
    const latest = samples.at(-1);
    const sums = samples.map((sample) => stack(sample, this.#parts));
    const top = scale(Math.max(...sums.map((sum) => sum.at(-1))));
    const y = (value) => height - 0.5 - (value / top) * (height - 4);
    const x = (time) => width - ((latest.time - time) / span) * width;
    this.#parts.forEach((part, i) => {
      const runs = unbroken(samples).map((run) =>
        run.map(([sample, at]) => ({ x: x(sample.time), y: y(sums[at][i]), base: i ? y(sums[at][i - 1]) : height })));
      part.line.setAttribute("d", runs.map(stroke).join(""));
      part.area.setAttribute("d", runs.map(fill).join(""));
      const end = runs.at(-1).at(-1);
      part.end.setAttribute("d", `M${round(end.x)} ${round(end.y)}h0`);
    });
    this.#element(".value").textContent = this.#read(sums.at(-1).at(-1));
    this.#element(".top-label").textContent = compact.format(top);
    this.#look();
  }

  // clear shows nothing, as before the first sample.
  clear() {
    this.#samples = [];
    for (const { area, line, end } of this.#parts) for (const drawn of [area, line, end]) drawn.removeAttribute("d");
    this.#element(".value").textContent = "–";
    this.#element(".top-label").textContent = "";
    this.#look();
  }

  #listen(chart, title) {
    chart.setAttribute("aria-label", `${title}, last two minutes`);
    const look = (back) => {
      this.#back = back === null ? null : Math.min(Math.max(back, 0), span);
      this.#look();
    };
    chart.addEventListener("pointermove", ({ clientX }) => {
      const { right, width: wide } = chart.getBoundingClientRect();
      look(((right - clientX) / wide) * span);
    });
    chart.addEventListener("pointerleave", () => look(document.activeElement === chart ? 0 : null));
    chart.addEventListener("focus", () => look(this.#back ?? 0));
    chart.addEventListener("blur", () => look(null));
    chart.addEventListener("keydown", (event) => {
      if (!(event.key in steps)) return;
      event.preventDefault();
      look((this.#back ?? 0) - steps[event.key]);
    });
  }

  // #look shows the sample that the reader looks at, and the line it is on.
  #look() {
    const latest = this.#samples.at(-1);
    const reading = this.#back !== null && latest;
    const sample = reading && nearest(this.#samples, latest.time - this.#back);
    const seconds = reading ? Math.round((latest.time - sample.time) / 1000) : 0;
    const x = round(width - (seconds * 1000 / span) * width);
    if (reading) this.#cursor.setAttribute("d", `M${x} 0V${height}`);
    else this.#cursor.removeAttribute("d");
    const text = reading ? `${this.#tell(sample)}, ${seconds ? `${seconds} s ago` : "now"}` : "";
    this.#element(".at").textContent = text;
    this.#element(".chart").setAttribute("aria-valuenow", -seconds);
    this.#element(".chart").setAttribute("aria-valuetext", text || (latest ? `${this.#tell(latest)}, now` : "nothing yet"));
  }

  #tell(sample) {
    const unit = this.#element(".unit").textContent;
    const sum = [this.#read(stack(sample, this.#parts).at(-1)), unit].filter(Boolean).join(" ");
    if (this.#parts.length === 1) return sum;
    return `${sum}: ${this.#parts.map(({ figure, name }) => `${this.#read(sample[figure])} ${name}`).join(", ")}`;
  }
}

// recent drops in place what is too old to be seen.
export function recent(samples) {
  const first = samples.findIndex((sample) => sample.time >= samples.at(-1).time - span);
  samples.splice(0, first);
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

function path(svg, kind) {
  const element = document.createElementNS(namespace, "path");
  element.setAttribute("class", kind);
  svg.append(element);
  return element;
}

function keys(parent, parts) {
  if (parts.length < 2) return;
  for (const { name, kind } of parts) {
    const key = document.createElement("span");
    key.className = `key ${kind}`;
    key.textContent = name;
    parent.append(key);
  }
}

// stack is how high each part reaches; the last is the sum.
function stack(sample, parts) {
  let sum = 0;
  return parts.map(({ figure }) => (sum += sample[figure]));
}

// scale is a round number at or above the greatest value.
function scale(most) {
  if (!(most > 1)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= most) * power;
}

// unbroken are runs of [sample, its index].
function unbroken(samples) {
  const runs = [];
  let before = -Infinity;
  for (const [at, sample] of samples.entries()) {
    if (sample.time - before > hole) runs.push([]);
    runs.at(-1).push([sample, at]);
    before = sample.time;
  }
  return runs;
}

function nearest(samples, time) {
  return samples.reduce((best, sample) => (Math.abs(sample.time - time) < Math.abs(best.time - time) ? sample : best));
}

const round = (number) => Math.round(number * 100) / 100;

function stroke(run) {
  return "M" + run.map(({ x, y }) => `${round(x)} ${round(y)}`).join("L");
}

function fill(run) {
  const back = [...run].reverse().map(({ x, base }) => `${round(x)} ${round(base)}`);
  return `${stroke(run)}L${back.join("L")}Z`;
}
