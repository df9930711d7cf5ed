// Takes the test's orders: pages to open, each in a frame, and to close.

const query = new URLSearchParams(location.search);
const frames = new Map();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

for (let done = 0; ; ) {
  const orders = await fetch(`/orders?browser=${query.get("browser")}&after=${done}`)
    .then((response) => response.json())
    .catch(() => pause(200).then(() => []));
  for (const order of orders) obey(order);
  done += orders.length;
}

function obey({ page, url }) {
  frames.get(page)?.remove();
  frames.delete(page);
  if (!url) return;
  const frame = document.createElement("iframe");
  frame.src = url;
  frames.set(page, frame);
  document.body.append(frame);
}
