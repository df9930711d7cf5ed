// A plot draws the last two minutes of one or two figures as SVG lines.

const span = 120_000;
// Samples come every second; where one is missing the line is broken.
const hole = 2_600;
const width = 120;
const height = 40;
const namespace = "http://www.w3.org/2000/svg";

const template = document.getElementById("plot");

export class Plot {
  #lines;
  #value;
  #label;
  #read;

  // lines: [{figure, name, kind}], kind being the CSS class that colours it;
  // read gives the text of the current value.
  constructor(parent, { title, unit, lines, read }) {
    const figure = template.content.cloneNode(true).firstElementChild;
    figure.querySelector(".title").textContent = title;
    figure.querySelector(".unit").textContent = unit;
    figure.setAttribute("aria-label", `${title}, last two minutes`);
    this.#value = figure.querySelector(".value");
    this.#label = figure.querySelector(".top-label");
    this.#read = read;
    const svg = figure.querySelector("svg");
    this.#lines = lines.map(({ figure: name, kind }) => ({
      figure: name,
      area: path(svg, `area ${kind}`),
      line: path(svg, `line ${kind}`),
      end: path(svg, `end ${kind}`),
    }));
    keys(figure.querySelector(".keys"), lines);
    parent.append(figure);
  }

  draw(samples) {
    const latest = samples.at(-1);
    const top = scale(samples, this.#lines);
    for (const line of this.#lines) {
      const runs = unbroken(samples).map((run) =>
        run.map((sample) => [
          width - ((latest.time - sample.time) / span) * width,
          height - 0.5 - (sample[line.figure] / top) * (height - 4),
        ]),
      );
      line.line.setAttribute("d", runs.map(stroke).join(""));
      line.area.setAttribute("d", runs.map(fill).join(""));
      const [x, y] = runs.at(-1).at(-1);
      line.end.setAttribute("d", `M${round(x)} ${round(y)}h0`);
    }
    this.#value.textContent = this.#read(latest);
    this.#label.textContent = compact.format(top);
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

function keys(parent, lines) {
  if (lines.length < 2) return;
  for (const { name, kind } of lines) {
    const key = document.createElement("span");
    key.className = `key ${kind}`;
    key.textContent = name;
    parent.append(key);
  }
}

// scale is a round number above all values.
function scale(samples, lines) {
  const most = Math.max(...samples.flatMap((sample) => lines.map((line) => sample[line.figure])));
  if (!(most > 1)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= most) * power;
}

function unbroken(samples) {
  const runs = [];
  let before = -Infinity;
  for (const sample of samples) {
    if (sample.time - before > hole) runs.push([]);
    runs.at(-1).push(sample);
    before = sample.time;
  }
  return runs;
}

const round = (number) => Math.round(number * 100) / 100;

function stroke(run) {
  return "M" + run.map(([x, y]) => `${round(x)} ${round(y)}`).join("L");
}

function fill(run) {
  return `${stroke(run)}L${round(run.at(-1)[0])} ${height}L${round(run[0][0])} ${height}Z`;
}
