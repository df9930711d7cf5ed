// Takes the tests' orders: pages to open, each in a frame, and to close.

const query = new URLSearchParams(location.search);
const frames = new Map();

for (let done = 0; ; ) {
  let orders;
  try {
    const response = await fetch(`/orders?browser=${query.get("browser")}&after=${done}`);
    orders = await response.json();
  } catch {
    break;
  }
  for (const order of orders) obey(order);
  done += orders.length;
}
// The tests are gone without ending the browser, which has no other page.
window.close();

function obey({ page, url }) {
  frames.get(page)?.remove();
  frames.delete(page);
  if (!url) return;
  const frame = document.createElement("iframe");
  frame.src = url;
  frames.set(page, frame);
  document.body.append(frame);
}
