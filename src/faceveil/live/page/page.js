"use strict";

const byId = (id) => document.getElementById(id);
const picture = byId("picture");

function say(state, reason) {
  byId("state").textContent = state;
  byId("state").dataset.state = state;
  byId("reason").textContent = reason || "";
  picture.classList.toggle("stale", state !== "live");
}

async function tell() {
  try {
    const answer = await fetch("state", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    const now = await answer.json();
    say(now.state, now.reason);
    byId("source").textContent = now.source || "";
    byId("covered").textContent = now.covered ?? "–";
    byId("fps").textContent = now.fps === undefined ? "–" : now.fps.toFixed(1);
    byId("latency").textContent = now.latency_ms ? `${now.latency_ms} ms` : "–";
    byId("veiled").textContent = now.veiled ?? "–";
    byId("dropped").textContent = now.dropped ?? "–";
    if (now.shown + now.veiled > 0) {
      picture.hidden = false;
      byId("wait").hidden = true;
    }
    setTimeout(tell, 500);
  } catch {
    say("stopped", "");
    byId("wait").textContent = "faceveil has stopped.";
  }
}

picture.src = "stream";
tell();
