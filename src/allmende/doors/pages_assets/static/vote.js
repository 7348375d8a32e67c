// Voting by wallet: finds wallets (EIP-6963) and asks the chosen one to send a vote. The bytes of
// each choice are on the page; the wallet shows them once more. Without a wallet nothing appears.
"use strict";

const voting = document.getElementById("voting");
if (voting) {
  const says = voting.dataset;
  const line = voting.querySelector(".progress");
  const ballots = [...document.querySelectorAll("form.ballot")];
  const known = new Set();
  let wallet = null;

  const ask = (method, params = []) => wallet.request({ method, params });

  const vote = async (to, data) => {
    line.textContent = says.asking;
    const [from] = await ask("eth_requestAccounts");
    const wanted = says.chain;
    if ((await ask("eth_chainId")).toLowerCase() !== wanted) {
      await ask("wallet_switchEthereumChain", [{ chainId: wanted }]);
    }
    const hash = await ask("eth_sendTransaction", [{ from, to, data, chainId: wanted, value: "0x0" }]);
    for (let tries = 0; tries < 600; tries += 1) {
      line.textContent = says.waiting;
      const mined = await ask("eth_getTransactionReceipt", [hash]);
      if (mined?.blockNumber) {
        line.textContent = BigInt(mined.status) === 1n ? says.done : says.reverted;
        return;
      }
      await new Promise((later) => setTimeout(later, 500));
    }
  };

  for (const form of ballots) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const buttons = [...document.querySelectorAll("form.ballot button")];
      for (const each of buttons) each.disabled = true;
      try {
        await vote(form.dataset.to, event.submitter.dataset.bytes);
      } catch (error) {
        line.textContent = error?.code === 4001 ? says.refused : `${says.failed} ${error?.message ?? error}`;
      }
      for (const each of buttons) each.disabled = false;
    });
  }

  addEventListener("eip6963:announceProvider", ({ detail: { info, provider } }) => {
    if (known.has(info.uuid) || !ballots.length) return;
    known.add(info.uuid);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button ghost";
    button.textContent = String(info.name).slice(0, 40);
    button.addEventListener("click", () => {
      wallet = provider;
      for (const other of voting.querySelectorAll("button")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      for (const form of ballots) form.hidden = false;
    });
    voting.querySelector(".wallets").append(button);
    voting.hidden = false;
  });
  dispatchEvent(new Event("eip6963:requestProvider"));
}
