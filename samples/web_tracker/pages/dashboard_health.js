// Whether the projections follow the log. One that stops sends no change, so the page asks.
import { element, requestJson, visible } from "./common.js";

const kInterval = 10000;
const kNamed = 3;

export class HealthView {
  /** `isConnected()`: without a connection the page says so elsewhere, and there is nobody to ask. */
  constructor(isConnected) {
    this.node = document.getElementById("stopped");
    this.isConnected = isConnected;
    setInterval(() => this.ask(), kInterval);
    document.addEventListener("visibilitychange", () => this.ask());
  }

  async ask() {
    if (document.hidden || !this.isConnected()) return;
    try {
      this.show((await requestJson("/api/projections")).projections);
    } catch {
      // The next answer tells; until then the last one stands.
    }
  }

  show(projections) {
    const failed = projections.filter((one) => one.phase === "failed");
    const troubled = failed.length > 0 ? failed : projections.filter((one) => one.error !== null);
    const text = troubled.length === 0 ? "" : sentenceOf(troubled.map((one) => visible(one.name)), failed.length > 0, projections.length);
    if (this.node.dataset.text === text) return; // a status that is written anew is read aloud anew
    this.node.dataset.text = text;
    if (text === "") this.node.replaceChildren();
    else this.node.replaceChildren(element("span", {}, text), " ", element("a", { href: "/replay" }, "See the replay page"));
  }
}

function sentenceOf(names, stopped, all) {
  const listed = names.slice(0, kNamed).join(", ") + (names.length > kNamed ? ", …" : "");
  const which = names.length === all ? "all projections" : `${names.length} of ${all} projections (${listed})`;
  const verb = stopped ? (names.length === 1 ? "has stopped" : "have stopped") : names.length === 1 ? "waits and tries again" : "wait and try again";
  return `Some figures may be old: ${which} ${verb}. Nothing is lost; new events are kept in the log.`;
}
