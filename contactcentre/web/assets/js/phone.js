// The phone in the browser: JsSIP over a websocket of the PBX. It keeps itself registered whatever the network does, with
// passwords that the server gives to this window alone and for some minutes.

import JsSIP from "jssip";

import { ask } from "./ask.js";
import { _ } from "./language.js";

export const REGISTERED = 120; // seconds that the PBX believes a registration
const AGAIN = 50; // seconds after which it is renewed, and the password with it. A server's pulse tells: timers sleep in
// a hidden tab
const GATHER = 1000; // ms to look for ways through the network; a server that does not answer must not hold up the answer
const RETRY = 5000; // ms
const ELSEWHERE = 10000; // ms between two questions whether the phone is still in another window
const BRIEFLY = 4000; // ms without an answer from the other side that pass by themselves
const HEARS = ["connected", "completed"]; // states of ICE, as are
const DEAF = ["disconnected", "failed"];

export class Phone {
  state = "off"; // off | starting | ready | lost | elsewhere | refused
  problem = "";
  call = null; // JsSIP's session: rings, or goes on
  automatic = false; // the call answers by itself
  microphone = null; // MediaStream
  #ua = null;
  #grant = null;
  #asked = 0; // ms
  #registered = 0; // ms
  #retry = 0; // a timer

  // on.state(), on.call(), on.sound(stream), on.over(), on.deaf(): nothing comes through any more. options: token, devices
  constructor({ token, devices, on }) {
    Object.assign(this, { token, devices, on });
    this.holder = sessionStorage.phone ??= crypto.randomUUID();
    window.addEventListener("online", () => this.pulse());
  }

  get ringing() {
    return Boolean(this.call?.direction === "incoming" && this.call.isInProgress());
  }

  get talking() {
    return Boolean(this.call?.isEstablished());
  }

  // Sound comes through.
  get hears() {
    return Boolean(this.talking && HEARS.includes(this.call.connection?.iceConnectionState));
  }

  async start({ take = false } = {}) {
    clearTimeout(this.#retry);
    this.#asked = Date.now();
    if (this.state === "off" || take) this.#become("starting");
    const [problem, grant, code] = await ask("/api/v1/me/phone", { holder: this.holder, take }, this.token);
    if (grant) return this.#signIn(grant);
    if (code === "phone_elsewhere") return this.#leave("elsewhere");
    this.problem = problem;
    if (this.state !== "ready") this.#become("refused");
    this.#retry = setTimeout(() => this.start(), RETRY);
  }

  // Gives the phone back: it does not ring here any more.
  stop() {
    if (this.#ua) ask("/api/v1/me/phone", { holder: this.holder, end: true }, this.token, true);
    this.#leave("off");
  }

  // Something says that time has passed, or that the network is back.
  pulse() {
    const now = Date.now();
    if (this.state === "elsewhere" && now - this.#asked > ELSEWHERE) this.start(); // that window may be gone
    if (!this.#ua) return;
    if (now - this.#asked > AGAIN * 1000) this.start();
    if (this.#ua.isConnected() && now - this.#registered > AGAIN * 1000) this.#ua.register();
  }

  async answer() {
    const call = this.call;
    if (!this.ringing) return;
    try {
      this.microphone = await this.devices.microphone();
    } catch (error) {
      this.problem = _("The microphone cannot be used: %(why)s", { why: error.message });
      return this.on.state();
    }
    if (call !== this.call || !this.ringing) return this.#silence(); // it has stopped ringing meanwhile
    const muted = this.automatic && sessionStorage.muted === "true";
    for (const track of this.microphone.getTracks()) track.enabled = !muted;
    if (muted) call.on("accepted", () => this.mute(true));
    call.answer({ mediaStream: this.microphone, pcConfig: { iceServers: this.#iceServers } });
  }

  // Leaves a call without hanging it up: the agent's part in it goes to another leg.
  forget() {
    const { call } = this;
    this.call = null;
    call?.connection?.close();
    this.#silence();
    this.on.sound(null);
  }

  hangUp() {
    if (this.call && !this.call.isEnded()) this.call.terminate(this.ringing ? { status_code: 603, reason_phrase: "Decline" } : {});
  }

  get muted() {
    return Boolean(this.talking && this.call.isMuted().audio);
  }

  mute(muted) {
    if (!this.talking) return;
    this.call[muted ? "mute" : "unmute"]({ audio: true });
    sessionStorage.muted = muted;
    this.on.call();
  }

  // Keys for whoever hears the agent.
  press(keys) {
    if (this.talking) this.call.sendDTMF(keys, { transportType: "RFC2833" });
  }

  // Another microphone in a call that goes on.
  async useMicrophone() {
    if (!this.talking) return;
    const fresh = await this.devices.microphone();
    const [track] = fresh.getAudioTracks();
    track.enabled = !this.muted;
    await this.call.connection.getSenders().find((sender) => sender.track?.kind === "audio")?.replaceTrack(track);
    this.#silence();
    this.microphone = fresh;
  }

  get #iceServers() {
    return this.#grant.ice.map(({ urls, username, credential }) => (username ? { urls, username, credential } : { urls }));
  }

  #signIn(grant) {
    const changed = this.#grant?.password !== grant.password;
    this.#grant = grant;
    if (this.#ua) {
      if (changed) {
        this.#ua.set("password", grant.password);
        this.#ua.register();
      }
      return;
    }
    const { hostname } = new URL(grant.url);
    const ua = (this.#ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(grant.url)],
      uri: `sip:${grant.account}@${hostname}`,
      authorization_user: grant.account,
      password: grant.password,
      register_expires: REGISTERED,
      session_timers: false,
      user_agent: "contactcentre",
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 8,
    }));
    const on = (happened, handle) => ua.on(happened, (event) => this.#ua === ua && handle(event)); // nothing of one that was left
    on("registered", () => {
      this.#registered = Date.now();
      this.problem = "";
      const back = this.state !== "ready";
      this.#become("ready");
      if (back && this.talking && DEAF.includes(this.call.connection.iceConnectionState)) this.on.deaf();
    });
    on("unregistered", () => this.#become("lost"));
    on("disconnected", () => this.#become("lost"));
    on("registrationFailed", ({ cause }) => {
      this.problem = _("The PBX did not let the phone in (%(why)s).", { why: cause });
      this.#become("lost");
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.start().then(() => this.#ua?.register()), RETRY / 5);
    });
    on("newRTCSession", ({ originator, session, request }) => originator === "remote" && this.#take(session, request));
    ua.start();
  }

  #take(session, request) {
    if (this.call && !this.call.isEnded()) return session.terminate({ status_code: 486, reason_phrase: "Busy Here" });
    this.call = session;
    this.automatic = /answer-after=0/.test(request.getHeader("Call-Info") ?? "");
    let ready = 0; // timers
    let lost = 0;
    session.on("peerconnection", ({ peerconnection }) => {
      const changed = (event) => {
        clearTimeout(lost);
        const state = peerconnection.iceConnectionState;
        if (state === "failed") event.stopImmediatePropagation(); // JsSIP would hang up
        if (this.call !== session || !DEAF.includes(state)) return;
        if (state === "failed") return this.on.deaf();
        lost = setTimeout(() => this.call === session && this.state === "ready" && this.on.deaf(), BRIEFLY);
      };
      peerconnection.addEventListener("iceconnectionstatechange", changed, { capture: true }); // before JsSIP's own
      peerconnection.addEventListener("track", ({ streams, track }) => this.on.sound(streams[0] ?? new MediaStream([track])));
    });
    session.on("icecandidate", ({ ready: go }) => (ready ||= setTimeout(go, GATHER)));
    for (const happened of ["accepted", "confirmed"]) session.on(happened, () => this.on.call());
    for (const happened of ["ended", "failed"]) {
      session.on(happened, () => {
        clearTimeout(ready);
        clearTimeout(lost);
        if (this.call !== session) return;
        this.call = null;
        this.#silence();
        this.on.sound(null);
        this.on.over();
        this.on.call();
      });
    }
    this.on.call();
    if (this.automatic) this.answer();
  }

  #silence() {
    for (const track of this.microphone?.getTracks() ?? []) track.stop();
    this.microphone = null;
  }

  // JsSIP hangs up as it stops: a call that goes on is waited for.
  #leave(state) {
    clearTimeout(this.#retry);
    const ua = this.#ua;
    if (this.talking) this.call.on("ended", () => ua.stop());
    else ua?.stop();
    this.#ua = null;
    this.#grant = null;
    this.#become(state);
  }

  #become(state) {
    this.state = state;
    this.on.state();
  }
}
