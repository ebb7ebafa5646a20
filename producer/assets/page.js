"use strict";
// Keeps what is shown up to date: the server says when something is new, then this page is asked for again and its parts
// that are marked `data-live` take the place of the old ones. What somebody is using stays as it is.
(() => {
  const pulse = document.getElementById("pulse");
  let asking = false;
  let again = false;

  const inUse = (part) =>
    (part.contains(document.activeElement) && document.activeElement !== part) ||
    part.querySelector("details[open]") !== null;

  async function refresh() {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      const answer = await fetch(location.href, { cache: "no-store", headers: { "X-Live": "yes" } });
      if (answer.redirected && !new URL(answer.url).pathname.startsWith(location.pathname)) {
        location.reload();
        return;
      }
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const next = fresh.getElementById(part.id);
        if (next && !next.isEqualNode(part) && !inUse(part)) part.replaceWith(document.importNode(next, true));
      }
    } catch {
      // The stream of events tells when the server is there again.
    } finally {
      asking = false;
      if (again) {
        again = false;
        setTimeout(refresh, 200);
      }
    }
  }

  if (document.querySelector("[data-live]")) {
    const events = new EventSource("/events");
    events.addEventListener("changed", refresh);
    events.onopen = () => { pulse.hidden = false; pulse.textContent = "live"; pulse.classList.remove("lost"); };
    events.onerror = () => { pulse.textContent = "not connected"; pulse.classList.add("lost"); };
    // "3 min ago" grows old by itself.
    setInterval(() => { if (!document.hidden) refresh(); }, 30000);
  }

  // A source may be slow or away: what the state knows is here already, and the source is asked behind its back.
  const ask = document.querySelector("[data-ask]");
  if (ask) {
    const part = ask.closest("section");
    part.setAttribute("aria-busy", "true");
    fetch(ask.href, { cache: "no-store" })
      .then((answer) => answer.text())
      .then((text) => {
        const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(part.id);
        if (fresh) part.replaceWith(document.importNode(fresh, true));
      })
      // The link is there, to be followed by hand.
      .catch(() => part.removeAttribute("aria-busy"));
  }

  // The address of a page that was changed says so once.
  const here = new URL(location.href);
  if (here.searchParams.has("said")) {
    here.searchParams.delete("said");
    history.replaceState(null, "", here);
  }
})();
