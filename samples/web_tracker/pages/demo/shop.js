// The demo shop: a cart that lives in this browser, custom events for the tracker, and a guide that navigates without loading.
const kCart = "crema-cart";
const all = (selector) => document.querySelectorAll(selector);
const euros = (amount) => `€ ${amount.toFixed(2)}`;

// The beacon may load later than this, or be blocked: what is sent before waits in a queue.
window.lungo = window.lungo || function () { (lungo.q = lungo.q || []).push(arguments); };

function cart() {
  try {
    return JSON.parse(localStorage.getItem(kCart)) ?? [];
  } catch {
    return []; // storage is forbidden, or not ours
  }
}

function save(items) {
  try {
    localStorage.setItem(kCart, JSON.stringify(items));
  } catch {
    // Without storage the cart stays empty; the events are sent all the same.
  }
  show();
}

const total = (items) => items.reduce((sum, { price, bags }) => sum + price * bags, 0);

function add(coffee, price) {
  const items = cart();
  const item = items.find((i) => i.coffee === coffee);
  if (item) item.bags += 1;
  else items.push({ coffee, price, bags: 1 });
  save(items);
  window.lungo("Add to cart", { props: { coffee, price } });
  for (const said of all("[data-cart-said]")) said.textContent = `${coffee} is in the cart.`;
}

function show() {
  const items = cart();
  const bags = items.reduce((sum, item) => sum + item.bags, 0);
  for (const count of all("[data-cart-count]")) count.textContent = bags > 0 ? bags : "";
  for (const place of all("[data-cart-total]")) place.textContent = euros(total(items));
  const rows = document.querySelector("#cart tbody");
  if (!rows) return;
  rows.replaceChildren(...items.map(rowOf));
  document.getElementById("cart").hidden = items.length === 0;
  document.getElementById("cart-go").hidden = items.length === 0;
  document.getElementById("cart-empty").hidden = items.length > 0;
}

function rowOf({ coffee, price, bags }) {
  const row = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  name.textContent = coffee;
  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "plain";
  remove.textContent = "Remove";
  remove.setAttribute("aria-label", `Remove ${coffee}`);
  remove.addEventListener("click", () => {
    save(cart().filter((item) => item.coffee !== coffee));
    window.lungo("Remove from cart", { props: { coffee } });
    document.getElementById("main").focus();
  });
  row.append(name, document.createElement("td"), document.createElement("td"), document.createElement("td"));
  row.cells[1].className = row.cells[2].className = "number";
  row.cells[1].textContent = bags;
  row.cells[2].textContent = euros(price * bags);
  row.cells[3].append(remove);
  return row;
}

for (const button of all("[data-coffee]")) {
  button.addEventListener("click", () => add(button.dataset.coffee, Number(button.dataset.price)));
}

document.getElementById("order")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const items = cart();
  const grind = new FormData(event.target).get("grind");
  const bags = items.reduce((sum, item) => sum + item.bags, 0);
  window.lungo("Order", { props: { total: total(items), bags, grind } });
  save([]);
  location.assign("thanks.html");
});

document.getElementById("letter")?.addEventListener("submit", (event) => {
  event.preventDefault();
  window.lungo("Newsletter"); // the name stays here
  document.getElementById("letter-done").textContent = "Thank you. (No letter will come.)";
});

// ---- the guide: each text is a page of its own, and following a link only takes over its #guide.

async function turnTo(address) {
  const answer = await fetch(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = page.getElementById("guide");
  if (!answer.ok || !next) throw new Error("not a page of the guide");
  document.getElementById("guide").replaceWith(document.adoptNode(next));
  document.title = page.title;
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("#guide .tabs a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  if (link.href === location.href) return;
  try {
    await turnTo(link.href);
    history.pushState(null, "", link.href); // the beacon counts this
    document.querySelector("#guide .tabs [aria-current]").focus();
  } catch {
    location.assign(link.href);
  }
});
addEventListener("popstate", () => {
  if (document.getElementById("guide")) turnTo(location.href).catch(() => location.reload());
});

addEventListener("pageshow", show); // also when the browser brings a page back as it was
