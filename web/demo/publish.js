// The box that publishes to any channel.

import { address, curlPublish, curlWatch, post } from "./post.js";

// publishBox returns {name}, to call with the channel that is read beside it.
export function publishBox(element, { publishing }) {
  const form = element.querySelector("form");
  const outcome = element.querySelector('[data-part="outcome"]');
  const fields = () => {
    const { channel, event, kind, data } = form.elements;
    return [channel.value, event.value.trim(), kind.value, data.value];
  };
  const commands = () => {
    const [channel, event] = fields();
    const { pathname, search } = address(channel, event);
    element.querySelector('#publish [data-part="address"]').textContent = `POST ${decodeURIComponent(pathname)}${search}`;
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
  let named = form.elements.channel.value;
  return {
    // A channel that the visitor wrote stays.
    name(channel) {
      if (form.elements.channel.value !== named) return;
      form.elements.channel.value = named = channel;
      commands();
    },
  };
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
