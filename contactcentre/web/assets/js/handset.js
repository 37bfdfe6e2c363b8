// The part of the agent's page that is about the phone's devices: choose them, try them.

import { measure } from "./devices.js";
import { attribute, element, keyed, text } from "./dom.js";
import { _ } from "./language.js";

const $ = (id) => document.getElementById(id);

export class Handset {
  #measuring = null; // stops the level

  // on.problem(): the phone's problem is another one
  constructor({ devices, phone, on }) {
    Object.assign(this, { devices, phone, on });
    for (const select of document.querySelectorAll("[data-device]")) select.addEventListener("change", () => this.#chosen(select));
    $("test-microphone").addEventListener("click", () => this.#test());
    $("clean").checked = devices.chosen.clean;
    $("clean").addEventListener("change", ({ target }) => {
      devices.choose("clean", target.checked);
      phone.useMicrophone();
    });
    navigator.mediaDevices?.addEventListener("devicechange", () => this.draw());
  }

  async draw() {
    for (const select of document.querySelectorAll("[data-device]")) {
      const name = select.dataset.device;
      const there = [["", _("As the system says")], ...(await this.devices.list(name))];
      keyed(select, there, ([id]) => id, ([id]) => element("option", { value: id }), (node, [, label]) => text(node, label));
      select.value = there.some(([id]) => id === this.devices.chosen[name]) ? this.devices.chosen[name] : "";
    }
  }

  #chosen(select) {
    this.devices.choose(select.dataset.device, select.value);
    if (select.dataset.device === "microphone") this.phone.useMicrophone();
    if (select.dataset.device === "speaker") this.devices.lead($("far"), "speaker");
  }

  async #test() {
    const begin = !this.#measuring;
    this.#measuring?.();
    this.#measuring = null;
    $("level").value = 0;
    attribute($("test-microphone"), "aria-pressed", begin);
    if (!begin) return;
    try {
      const heard = await this.devices.microphone();
      const stop = measure(heard, (level) => ($("level").value = level));
      this.#measuring = () => {
        stop();
        for (const track of heard.getTracks()) track.stop();
      };
      this.draw(); // their names are known now
    } catch (error) {
      this.phone.problem = _("The microphone cannot be used: %(why)s", { why: error.message });
      this.on.problem();
    }
  }
}
