// The box that publishes to any channel.

import { curlPublish, curlWatch, post } from "./post.js";

export function publishBox(element, { publishing }) {
  const form = element.querySelector("form");
  const outcome = element.querySelector('[data-part="outcome"]');
  const fields = () => {
    const { channel, event, kind, data } = form.elements;
    return [channel.value, event.value.trim(), kind.value, data.value];
  };
  const commands = () => {
    document.getElementById("curl-publish").textContent = curlPublish(...fields());
    document.getElementById("curl-watch").textContent = curlWatch(form.elements.channel.value);
  };
  form.addEventListener("input", commands);
  commands();

  form.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    const [channel, event] = fields();
    publishing(channel, event || "message");
    try {
      const { status, id } = await post(...fields());
      show(outcome, `${status}`, id ?? "no ID: ephemeral", `in ${channel}`);
    } catch (error) {
      show(outcome, "Not published", "", error.message);
    }
    outcome.classList.toggle("bad", !outcome.querySelector(".id"));
  });
  copyButtons(element);
}

function show(outcome, status, id, note) {
  outcome.replaceChildren(
    line("status-line", status),
    ...(id ? [line("mono id", id)] : []),
    line("note", note),
  );
}

function line(kind, text) {
  const p = document.createElement("p");
  p.className = kind;
  p.textContent = text;
  return p;
}

function copyButtons(element) {
  for (const button of element.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }
}
