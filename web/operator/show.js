// Small things that every panel shows.

// parts are the elements of a panel by their data-part.
export function parts(element) {
  return Object.fromEntries([...element.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
}

export function states(element, status) {
  return (name) => {
    element.dataset.state = name;
    if (status.textContent !== name) status.textContent = name;
  };
}

export function make(name, text, className = "") {
  const element = document.createElement(name);
  element.textContent = text;
  element.className = className;
  return element;
}

// answered names the node that a panel's answer is of.
export function answered(part, node, isChosen) {
  part.node.textContent = node;
  part.other.hidden = isChosen(node);
}

// facts shows [name, value, alarming] in a list of definitions.
export function facts(list, all) {
  list.replaceChildren(...all.map(([name, value, alarming]) => {
    const pair = document.createElement("div");
    pair.append(make("dt", name), make("dd", value, alarming ? "alarm" : ""));
    return pair;
  }));
}

export function row(...cells) {
  const line = document.createElement("tr");
  for (const cell of cells) {
    const place = document.createElement("td");
    place.append(cell ?? "–");
    line.append(place);
  }
  return line;
}

// every asks anew some time after each answer, while somebody looks.
export function every(ms, work) {
  let timer = 0;
  let stopped = false;
  const again = async () => {
    clearTimeout(timer);
    if (!document.hidden) await work();
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(again, ms);
  };
  again();
  return { now: again, stop: () => { stopped = true; clearTimeout(timer); } };
}
