// What one says in a room, and the sign that one is about to.

import { tells } from "./typing.js";

// speak returns a function that names the channel to speak in.
export function speak(form) {
  const { name, text } = form.elements;
  const outcome = form.querySelector('[data-part="outcome"]');
  const typing = tells();
  let channel = null;
  name.value = localStorage.getItem("runnel.name") || `guest ${100 + Math.floor(Math.random() * 900)}`;
  name.addEventListener("change", () => localStorage.setItem("runnel.name", name.value));
  text.addEventListener("input", () => (text.value ? typing.on(channel, name.value) : typing.off()));
  form.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    const said = text.value;
    text.value = "";
    text.focus();
    typing.off();
    const tell = (sentence, bad = false) => {
      outcome.textContent = sentence;
      outcome.classList.toggle("bad", bad);
    };
    tell("Sending. Without a connection it waits for one.");
    try {
      tell(`Published as ${await channel.publish({ name: name.value, text: said }, { event: "chat" })}`);
    } catch (error) {
      tell(`Not sent: ${error.message}`, true);
      text.value ||= said;
    }
  });
  return (other) => {
    typing.off();
    channel = other;
  };
}
