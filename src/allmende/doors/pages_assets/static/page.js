// Four conveniences; every page works without them.
"use strict";

// Buttons that copy, and buttons that ask first.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.sure && !window.confirm(button.dataset.sure)) event.preventDefault();
  if (!button.dataset.copy) return;
  const source = document.getElementById(button.dataset.copy);
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = button.dataset.done;
  } catch {
    window.getSelection().selectAllChildren(source); // without https: at least selected
  }
  setTimeout(() => { button.textContent = before; }, 1500);
});

// Receipts as they happen: the server sends each line as it renders it itself.
const list = document.querySelector("[data-live]");
if (list) {
  const source = new EventSource(list.dataset.live);
  source.addEventListener("receipt", (event) => {
    const { id, html } = JSON.parse(event.data);
    const known = document.getElementById(id);
    if (known) {
      known.outerHTML = html;
      return;
    }
    list.insertAdjacentHTML("afterbegin", html);
    document.getElementById(id).classList.add("new");
    while (list.children.length > Number(list.dataset.most)) list.lastElementChild.remove();
  });
  addEventListener("pagehide", () => source.close());
}

// A market that moves: the same page is fetched again, at most once a second, and its parts put in.
const market = document.querySelector("[data-market]");
if (market) {
  const source = new EventSource(market.dataset.market);
  let due = 0;
  let seen = "";
  source.addEventListener("market", (event) => {
    const known = !seen || seen === event.lastEventId;
    seen = event.lastEventId;
    if (known || due) return; // the first message is what the page shows
    due = setTimeout(async () => {
      due = 0;
      const answer = await fetch(location.href);
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of ["live", "prices-panel"]) {
        const old = document.getElementById(id);
        const now = fresh.getElementById(id);
        if (old && now && !old.querySelector("details[open]")) old.innerHTML = now.innerHTML;
      }
    }, 1000);
  });
  addEventListener("pagehide", () => source.close());
}

// On a narrow screen the current stage is scrolled to where it can be seen.
const stage = document.querySelector(".life [aria-current]");
if (stage) stage.scrollIntoView({ inline: "center", block: "nearest", behavior: "instant" });
