// Which microphone, loudspeaker and ringer are used; the choice is kept in this browser.

import { _ } from "./language.js";

const KEPT = "devices";
const KINDS = { microphone: "audioinput", speaker: "audiooutput", ringer: "audiooutput" };

export class Devices {
  chosen = { microphone: "", speaker: "", ringer: "", clean: true, ...read() };

  choose(name, value) {
    this.chosen[name] = value;
    localStorage[KEPT] = JSON.stringify(this.chosen);
  }

  // What is there for "microphone", "speaker" or "ringer": [id, name] each. Names are known once the page may hear.
  async list(name) {
    const all = await navigator.mediaDevices.enumerateDevices();
    const fitting = all.filter(({ kind, deviceId }) => kind === KINDS[name] && deviceId && deviceId !== "default");
    return fitting.map(({ deviceId, label }, place) => [deviceId, label || _("Device %(number)s", { number: place + 1 })]);
  }

  // A stream of the microphone; of another one where the chosen one is not plugged in. Raises what getUserMedia does.
  microphone() {
    const { microphone, clean } = this.chosen;
    return navigator.mediaDevices.getUserMedia({
      audio: {
        ...(microphone && { deviceId: { ideal: microphone } }),
        echoCancellation: clean,
        noiseSuppression: clean,
        autoGainControl: clean,
      },
    });
  }

  // Lets an <audio> or an AudioContext be heard at the chosen place, where the browser can.
  async lead(player, name) {
    try {
      await player.setSinkId?.(this.chosen[name]);
    } catch {
      await player.setSinkId?.(""); // it is not plugged in
    }
  }
}

function read() {
  try {
    return JSON.parse(localStorage[KEPT]);
  } catch {
    return {};
  }
}

// How loud a stream is, 0 to 1, until the returned function is called.
export function measure(stream, tell) {
  const context = new AudioContext();
  const ear = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(ear);
  const heard = new Float32Array(ear.fftSize);
  const timer = setInterval(() => {
    ear.getFloatTimeDomainData(heard);
    const power = heard.reduce((sum, value) => sum + value * value, 0) / heard.length;
    tell(Math.min(1, Math.max(0, 1 + Math.log10(power + 1e-10) / 5))); // -100 dB to 0 dB
  }, 100);
  return () => {
    clearInterval(timer);
    context.close();
  };
}

// Tones: [Hz, begins at, lasts] in seconds.
function tones(context, notes) {
  const loud = context.createGain();
  loud.gain.value = 0.15;
  loud.connect(context.destination);
  for (const [hertz, at, seconds] of notes) {
    const one = context.createOscillator();
    one.frequency.value = hertz;
    one.connect(loud);
    one.start(context.currentTime + at);
    one.stop(context.currentTime + at + seconds);
  }
}

// Rings at the chosen place until the returned function is called.
export function ring(devices) {
  const context = new AudioContext();
  devices.lead(context, "ringer");
  const once = () => tones(context, [[880, 0, 0.18], [660, 0.22, 0.18], [880, 0.44, 0.18]]);
  once();
  const timer = setInterval(once, 2000);
  return () => {
    clearInterval(timer);
    context.close();
  };
}

// A short sound at the loudspeaker or the ringer, to hear that it works.
export async function test(devices, name) {
  const context = new AudioContext();
  await devices.lead(context, name);
  tones(context, [[440, 0, 0.25], [660, 0.3, 0.35]]);
  setTimeout(() => context.close(), 1500);
}
