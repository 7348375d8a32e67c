// The wallet page: finds wallets (EIP-6963), asks them to sign and to send. Nothing is asked of a
// wallet before the page has shown what it is about; every amount comes from the market's answer.
"use strict";

const page = document.getElementById("wallet");
if (page) {
  const chain = JSON.parse(page.dataset.chain);
  const says = JSON.parse(page.dataset.says);
  const why = JSON.parse(page.dataset.why);
  const { address, asset, enter } = page.dataset;
  const sure = document.getElementById("sure");
  const list = document.getElementById("wallets");
  let wallet = null;

  const fill = (text, values = {}) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  const short = (text) => (/^0x[0-9a-fA-F]{40}$/.test(text) ? `${text.slice(0, 8)}…${text.slice(-6)}` : text);
  const day = (text) => new Date(text).toLocaleDateString(page.dataset.lang, { dateStyle: "long" });
  const shown = (text) => {
    const [whole, part] = String(text).split(".");
    const parts = new Intl.NumberFormat(page.dataset.lang).formatToParts(1000.5);
    const point = parts.find((one) => one.type === "decimal").value;
    const group = parts.find((one) => one.type === "group")?.value ?? "";
    const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, group) : whole;
    return part ? grouped + point + part : grouped;
  };

  // --- words ---------------------------------------------------------------------------------

  class Told extends Error {}

  const tell = (text, bad = false) => {
    const line = sure.open ? sure.querySelector(".progress") : document.getElementById("progress");
    line.textContent = text;
    line.classList.toggle("bad", bad);
  };

  // A wallet's own errors are codes: 4001 is a person who said no.
  const explain = (error) => {
    if (error instanceof Told) return error.message;
    if (error?.code === 4001) return says.refused;
    return `${says.failed} ${error?.data?.message ?? error?.message ?? error}`;
  };

  const market = async (path, fields) => {
    const asked = fields && {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(fields),
    };
    const answer = await fetch(`/api/wallet${path}`, asked);
    const body = await answer.json();
    if (answer.ok) return body;
    throw new Told(`${why[body.error?.code] ?? ""} ${body.error?.message ?? answer.status}`.trim());
  };

  // What will happen, in words, before anything does: true if the person goes on.
  const agreed = (title, lines) => {
    sure.querySelector("h2").textContent = title;
    sure.querySelector("ol").replaceChildren(...lines.map((text) => {
      const line = document.createElement("li");
      line.textContent = text;
      return line;
    }));
    const [go, cancel] = [sure.querySelector(".go"), sure.querySelector(".cancel")];
    [go.textContent, cancel.textContent] = [says.go, says.cancel];
    go.hidden = cancel.hidden = false;
    if (!sure.open) sure.showModal();
    tell("");
    return new Promise((decide) => {
      go.onclick = () => { go.hidden = cancel.hidden = true; decide(true); };
      cancel.onclick = () => { sure.close(); decide(false); };
      sure.oncancel = (event) => {
        if (go.hidden) event.preventDefault(); // something is under way
        else decide(false);
      };
    });
  };

  const over = (text, bad) => {
    tell(text, bad);
    const cancel = sure.querySelector(".cancel");
    cancel.textContent = says.close;
    cancel.hidden = false;
    cancel.onclick = () => sure.close();
    sure.querySelector(".go").hidden = true;
  };

  // --- the wallet ----------------------------------------------------------------------------

  const ask = (method, params = []) => wallet.request({ method, params });

  const onChain = async () => {
    if ((await ask("eth_chainId")).toLowerCase() === chain.hex) return;
    try {
      await ask("wallet_switchEthereumChain", [{ chainId: chain.hex }]);
    } catch (error) {
      if (error?.code === 4001) throw error;
      if (!chain.rpc) throw new Told(fill(says.no_network, chain));
      await ask("wallet_addEthereumChain", [{
        chainId: chain.hex,
        chainName: chain.name,
        rpcUrls: [location.origin + chain.rpc],
        nativeCurrency: { name: "Gas", symbol: "GAS", decimals: 18 },
      }]);
    }
    if ((await ask("eth_chainId")).toLowerCase() !== chain.hex) {
      throw new Told(fill(says.no_network, chain));
    }
  };

  const account = async () => {
    tell(says.asking);
    const [mine] = await ask("eth_requestAccounts");
    if (address && mine.toLowerCase() !== address) {
      throw new Told(fill(says.other_account, { theirs: short(mine), yours: short(address) }));
    }
    await onChain();
    return mine;
  };

  const signMessage = (text, mine) => {
    tell(says.sign);
    const bytes = new TextEncoder().encode(text);
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return ask("personal_sign", [`0x${hex}`, mine]);
  };

  const signTyped = (typed, mine) => {
    tell(says.sign);
    return ask("eth_signTypedData_v4", [mine, JSON.stringify(typed)]);
  };

  const send = async ({ to, data, value, chainId }, mine, step) => {
    tell(`${step} ${says.send}`);
    const hash = await ask("eth_sendTransaction", [{ from: mine, to, data, value, chainId }]);
    for (let tries = 0; tries < 600; tries += 1) {
      tell(`${step} ${tries < 60 ? says.mining : says.slow}`);
      const mined = await ask("eth_getTransactionReceipt", [hash]);
      if (mined?.blockNumber) {
        if (BigInt(mined.status) !== 1n) throw new Told(says.reverted);
        return;
      }
      await new Promise((later) => setTimeout(later, 500));
    }
    throw new Told(says.slow);
  };

  // --- coming in -----------------------------------------------------------------------------

  const comeIn = async () => {
    const mine = await account();
    const { message } = enter === "link"
      ? await market(`/link?address=${mine}`)
      : await market("/nonce", { address: mine });
    const signature = await signMessage(message, mine);
    await market(`/${enter}`, { message, signature });
    location.assign(`/wallet?done=wallet_${enter}`);
  };

  // --- acts ----------------------------------------------------------------------------------

  const until = (days) => new Date(Date.now() + Number(days || 30) * 864e5).toISOString().slice(0, 19);
  const query = (fields) => new URLSearchParams(Object.entries(fields).filter(([, value]) => value));

  const transactions = (path, line) => async (fields, title) => {
    const ready = await market(`/${path}?${query(fields)}`);
    const values = {
      asset, amount: shown(ready.amount ?? ""), vault: short(chain.vault), id: ready.id ?? "",
    };
    const lines = [fill(says[line], values)];
    if (ready.calls.length > 1) {
      const steps = { approve: says.approve, deposit: says.deposit_call };
      lines.push(...ready.calls.map((call) => fill(steps[call.what] ?? call.what, values)));
    }
    if (!await agreed(title, lines)) return;
    const mine = await account();
    for (const [at, call] of ready.calls.entries()) {
      await send(call, mine, ready.calls.length > 1 ? `${at + 1}/${ready.calls.length}` : "");
    }
    location.assign(`/wallet?done=wallet_${path}`);
  };

  const permit = (line) => async ({ more, days, models = "", key = "" }, title) => {
    const lane = line === "permit" ? "0" : "";
    const draft = await market(`/permit?${query({ lane, more, models, key, expires: until(days) })}`);
    const values = {
      asset, amount: shown(draft.more), lane: draft.lane, day: day(draft.expires), key: short(key),
    };
    const lines = [fill(says[line], values)];
    if (draft.models.length) lines.push(draft.models.join(", "));
    if (key) lines.push(fill(says.program, values));
    if (!await agreed(title, lines)) return;
    const mine = await account();
    const { typed_data, more: _more, asset: _asset, ...fields } = draft;
    const signature = await signTyped(typed_data, mine);
    const granted = await market("/permit", { ...fields, signature });
    if (!granted.secret) {
      location.assign("/wallet?done=wallet_permit");
      return;
    }
    const secret = document.createElement("li");
    secret.append(Object.assign(document.createElement("code"), { className: "wrap", id: "secret", textContent: granted.secret }));
    sure.querySelector("h2").textContent = says.secret;
    sure.querySelector("ol").replaceChildren(secret);
    over(says.secret_why);
    sure.onclose = () => location.assign("/wallet?done=wallet_permit");
  };

  const move = async (fields, title) => {
    const draft = await market(`/move?${query(fields)}`);
    const values = { asset: draft.asset, amount: shown(draft.amount), to: short(fields.to) };
    if (!await agreed(title, [fill(says.move, values)])) return;
    const mine = await account();
    const signature = await signTyped(draft.typed_data, mine);
    await market("/move", { message: draft.typed_data.message, signature });
    location.assign("/wallet?done=wallet_move");
  };

  const acts = {
    deposit: transactions("deposit", "deposit"),
    withdraw: transactions("withdraw", "withdraw"),
    pay: transactions("pay", "pay"),
    exit: transactions("exit", "exit"),
    permit: permit("permit"),
    session: permit("session"),
    move,
  };

  const carefully = async (work) => {
    try {
      await work();
    } catch (error) {
      if (sure.open) over(explain(error), true);
      else tell(explain(error), true);
    }
  };

  for (const form of document.querySelectorAll("form.act")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const fields = Object.fromEntries(new FormData(form));
      const button = form.querySelector("button");
      button.disabled = true;
      await carefully(async () => {
        if (!wallet) throw new Told(says.connected);
        const title = form.closest("details")?.querySelector("h2") ?? button;
        await acts[form.dataset.act](fields, title.textContent);
      });
      button.disabled = false;
    });
  }

  // --- finding wallets (EIP-6963) ------------------------------------------------------------

  const chosen = "allmende wallet";
  const take = (provider, rdns, button) => {
    wallet = provider;
    sessionStorage.setItem(chosen, rdns);
    for (const other of list.children) other.setAttribute("aria-pressed", String(other === button));
    for (const each of document.querySelectorAll("form.act button")) each.disabled = false;
  };

  const known = new Set();
  addEventListener("eip6963:announceProvider", ({ detail: { info, provider } }) => {
    if (known.has(info.uuid)) return;
    known.add(info.uuid);
    document.getElementById("nobody").hidden = true;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button ghost";
    button.textContent = String(info.name).slice(0, 40);
    button.addEventListener("click", () => carefully(async () => {
      take(provider, info.rdns, button);
      if (!address) return comeIn();
      await account();
      return tell("");
    }));
    list.append(button);
    if (address && sessionStorage.getItem(chosen) === info.rdns) take(provider, info.rdns, button);
  });
  dispatchEvent(new Event("eip6963:requestProvider"));
}
