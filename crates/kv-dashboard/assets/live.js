// Live parts of a page, over one stream from the server. Every page works without this file.
"use strict";

(() => {
  const part = document.querySelector("[data-live]");
  if (part) keepLive(part);
  document.querySelectorAll("[data-select-all]").forEach(selectsAll);

  function keepLive(part) {
    const button = document.createElement("button");
    const state = document.createElement("span");
    button.type = "button";
    state.className = "state";
    part.before(button, state);

    let source = null;
    let isPaused = false;

    button.addEventListener("click", () => {
      isPaused = !isPaused;
      follow();
    });
    // A hidden page asks for nothing.
    document.addEventListener("visibilitychange", follow);
    window.addEventListener("pagehide", close);
    window.addEventListener("pageshow", follow);
    follow();

    function follow() {
      button.textContent = isPaused ? "Go on" : "Pause updates";
      button.setAttribute("aria-pressed", String(isPaused));
      if (isPaused || document.hidden) {
        close();
        state.textContent = isPaused ? "paused" : "";
      } else if (!source) {
        open();
      }
    }

    function open() {
      source = new EventSource(part.dataset.live);
      source.onopen = () => (state.textContent = "live");
      source.onmessage = (event) => show(event.data);
      source.onerror = () => {
        state.textContent = "no connection; trying again";
        // A refusal ends the stream for good; a lost connection is tried again by the browser.
        if (source && source.readyState === EventSource.CLOSED) {
          state.textContent = "no live updates; reload the page";
          close();
        }
      };
    }

    function close() {
      if (source) source.close();
      source = null;
    }

    // The server has escaped the text, and the page's policy runs no script of it.
    function show(text) {
      const fresh = new DOMParser().parseFromString(text, "text/html");
      const focused = part.contains(document.activeElement)
        ? document.activeElement.getAttribute("href")
        : null;
      part.replaceChildren(...fresh.body.childNodes);
      if (focused) {
        const links = [...part.querySelectorAll("a")];
        const same = links.find((link) => link.getAttribute("href") === focused);
        if (same) same.focus({ preventScroll: true });
      }
      state.textContent = "live";
    }
  }

  function selectsAll(all) {
    const boxes = () => all.form.querySelectorAll('input[name="id"]');
    all.hidden = false;
    all.addEventListener("change", () => {
      boxes().forEach((box) => (box.checked = all.checked));
    });
  }
})();
