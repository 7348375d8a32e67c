// A wallet as a browser's extension would put it into every page (EIP-6963, EIP-1193), for tests.
// It keeps no key: whoever holds it answers at /test-wallet. `testWallet.no` names what its owner
// says no to; it knows the market's chain only when it was added.
"use strict";
(() => {
  const state = window.testWallet = { asked: [], no: "", chain: "0x1" };
  const ours = async (method, params) => {
    const answer = await fetch("/test-wallet", { method: "POST", body: JSON.stringify({ method, params }) });
    const body = await answer.json();
    if (body.error) throw Object.assign(new Error(body.error), { code: -32603 });
    return body.result;
  };
  const provider = { async request({ method, params = [] }) {
    state.asked.push(method);
    if (state.no === method) throw Object.assign(new Error("User rejected the request."), { code: 4001 });
    if (method === "eth_chainId") return sessionStorage.getItem("chain") ?? state.chain;
    if (method === "wallet_switchEthereumChain" && !sessionStorage.getItem("added"))
      throw Object.assign(new Error("Unrecognized chain ID"), { code: 4902 });
    if (method === "wallet_addEthereumChain") {
      sessionStorage.setItem("added", JSON.stringify(params[0]));
      sessionStorage.setItem("chain", params[0].chainId);
      return null;
    }
    return ours(method, params);
  } };
  const info = { uuid: "350670db-19fa-4704-a166-e52e178b59d2", name: "Test wallet", rdns: "test.wallet", icon: "data:," };
  const announce = () => dispatchEvent(new CustomEvent("eip6963:announceProvider",
    { detail: Object.freeze({ info, provider }) }));
  addEventListener("eip6963:requestProvider", announce);
  announce();
})();
