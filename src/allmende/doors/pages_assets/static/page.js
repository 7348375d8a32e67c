// Three conveniences; every page works without them.
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

// On a narrow screen the current stage is scrolled to where it can be seen.
const stage = document.querySelector(".life [aria-current]");
if (stage) stage.scrollIntoView({ inline: "center", block: "nearest", behavior: "instant" });
