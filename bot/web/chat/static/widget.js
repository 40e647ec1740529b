/* Sawt (صوت): the web chat of a ministry's desk. One plain custom element, ES2018, no framework, no build step.

   <script src="https://desk.example/widget.js" defer></script>          a launcher in the corner of any page
   <script … data-lang="en"></script>                                    in another language than the page's own
   <sawt-chat inline lang="ar"></sawt-chat> + the script                 the chat in the place of the element

   What people and the desk write is only ever put in with textContent. A message stays in localStorage until the desk
   has said 202; then the desk has it. A file waits in the page instead: it is too large for localStorage. Everything
   shown after a reload comes from the desk. */
(function () {
  "use strict";

  var GIVEN = /*SAWT*/ null;
  var SCRIPT = document.currentScript;
  var BASE = SCRIPT && SCRIPT.src ? new URL("./", SCRIPT.src).href.replace(/\/$/, "") : location.origin;
  var LANGUAGES = [["ar", "العربية"], ["en", "English"], ["zh", "中文"]];
  var SILENCE = 40000; // the desk sends a comment every 15 s: longer silence is a dead line
  var LONGEST_WAIT = 15000;
  var LARGEST = 10000000; // bytes of a file; as WEB.files in channels/contract.py
  var STALLED = 60000; // an upload in which nothing has moved for so long is dead
  var UPLOADS = 5; // tries of one file, where the desk answers or bytes have gone: each may cost 10 MB
  var RENEW_AFTER = 30 * 24 * 3600 * 1000;
  var QUEUE = "sawt.q.";

  if (!window.customElements || customElements.get("sawt-chat")) return;

  // ---- small things

  function make(tag, attributes) {
    var node = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (name) {
      if (name === "text") node.textContent = attributes.text;
      else if (attributes[name] !== null && attributes[name] !== false) node.setAttribute(name, attributes[name]);
    });
    for (var i = 2; i < arguments.length; i++) if (arguments[i]) node.appendChild(arguments[i]);
    return node;
  }

  function drawn(path) {
    var node = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    var line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", path);
    node.setAttribute("viewBox", "0 0 24 24");
    node.setAttribute("aria-hidden", "true");
    node.appendChild(line);
    return node;
  }

  function freshId() {
    if (window.crypto && crypto.randomUUID) return crypto.randomUUID();
    var bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, function (b) { return b.toString(16).padStart(2, "0"); }).join("");
  }

  function languageOf(text, otherwise) {
    var arabic = (text.match(/[\u0600-\u06ff]/g) || []).length;
    var han = (text.match(/[\u4e00-\u9fff]/g) || []).length;
    var latin = (text.match(/[A-Za-z]/g) || []).length;
    if (!arabic && !han && !latin) return otherwise;
    if (arabic >= latin && arabic >= han) return "ar";
    return han * 2 >= latin ? "zh" : "en";
  }

  function later(ms) {
    return new Promise(function (go) { setTimeout(go, ms); });
  }

  /* Keeps strings for this browser; where it may not, only as long as the page is open. */
  function Shelf() {
    this.memory = {};
    this.blocked = false;
    try {
      localStorage.setItem("sawt.try", "1");
      localStorage.removeItem("sawt.try");
    } catch (error) {
      this.blocked = true;
    }
  }
  Shelf.prototype.get = function (key) {
    if (Object.prototype.hasOwnProperty.call(this.memory, key)) return this.memory[key];
    if (this.blocked) return null;
    try { return localStorage.getItem(key); } catch (error) { return null; }
  };
  Shelf.prototype.set = function (key, value) {
    if (!this.blocked) {
      try { localStorage.setItem(key, value); delete this.memory[key]; return; } catch (error) { /* full */ }
    }
    this.memory[key] = value;
  };
  Shelf.prototype.remove = function (key) {
    delete this.memory[key];
    if (this.blocked) return;
    try { localStorage.removeItem(key); } catch (error) { /* gone with the page */ }
  };
  Shelf.prototype.read = function (key) {
    try { return JSON.parse(this.get(key)); } catch (error) { return null; }
  };
  Shelf.prototype.keys = function (start) {
    var found = Object.keys(this.memory);
    if (!this.blocked) {
      try { for (var i = 0; i < localStorage.length; i++) found.push(localStorage.key(i)); } catch (error) { /* none */ }
    }
    return found.filter(function (key, i) { return key.indexOf(start) === 0 && found.indexOf(key) === i; }).sort();
  };

  // ---- the line to the desk: session, queue, stream. It knows no page.

  function Line(shelf, lang, on) {
    this.shelf = shelf;
    this.lang = lang;
    this.on = on; // {event, state, line, session}
    this.count = 0;
    this.last = "";
    this.tries = 0;
    this.sending = false;
    this.files = [];
    this.heard = 0;
    this.abort = null;
    this.run = 0;
    this.wakes = [];
    this.down = false; // what the last stream did: so that the person is told
  }

  Line.prototype.held = function () {
    var held = this.shelf.read("sawt.chat");
    return held && typeof held.token === "string" ? held : null;
  };

  /* One request; its JSON in `.body`. Throws where the network fails. */
  Line.prototype.post = async function (path, body, token) {
    var stop = window.AbortController ? new AbortController() : null;
    var timer = setTimeout(function () { if (stop) stop.abort(); }, 20000);
    var headers = { "Content-Type": "application/json", "Accept-Language": this.lang };
    if (token) headers.Authorization = "Bearer " + token;
    try {
      var answer = await fetch(BASE + path, {
        method: "POST", headers: headers, body: JSON.stringify(body), credentials: "omit", cache: "no-store",
        signal: stop ? stop.signal : undefined,
      });
      var found = null;
      try { found = await answer.json(); } catch (error) { found = null; }
      return { status: answer.status, body: found, wait: Number(answer.headers.get("Retry-After")) || 0 };
    } finally {
      clearTimeout(timer);
    }
  };

  /* The token; a new session where there is none. Two tabs that ask at once end up with one. */
  Line.prototype.session = async function () {
    var held = this.held();
    if (held) return { held: held };
    var answer = await this.post("/chat/sessions", { lang: this.lang });
    held = this.held();
    if (held) return { held: held };
    if (!answer.body || typeof answer.body.token !== "string") return { answer: answer };
    held = { token: answer.body.token, at: Date.now(), chat: freshId() };
    this.shelf.set("sawt.chat", JSON.stringify(held));
    this.shelf.remove("sawt.wish");
    this.listen();
    return { held: held };
  };

  /* A younger token for the same chat, with the language the person wished for where one is wished. */
  Line.prototype.renew = async function () {
    var held = this.held();
    var wish = this.shelf.get("sawt.wish");
    if (!held || (!wish && Date.now() - held.at < RENEW_AFTER)) return;
    try {
      var answer = await this.post("/chat/sessions", wish ? { lang: wish } : {}, held.token);
      var now = this.held();
      if (answer.status < 300 && answer.body && answer.body.token && now && now.token === held.token) {
        held.token = answer.body.token;
        held.at = Date.now();
        this.shelf.set("sawt.chat", JSON.stringify(held));
        if (this.shelf.get("sawt.wish") === wish) this.shelf.remove("sawt.wish");
      }
    } catch (error) { /* the next start tries again */ }
  };

  /* The session has ended at the desk: the next message begins a new one. */
  Line.prototype.lost = function (token) {
    var held = this.held();
    if (held && held.token === token) this.shelf.remove("sawt.chat");
    this.stop();
    this.last = "";
    this.on.session();
  };

  Line.prototype.queued = function () {
    var shelf = this.shelf;
    return shelf.keys(QUEUE).map(function (key) {
      var item = shelf.read(key);
      if (!item || typeof item.id !== "string") { shelf.remove(key); return null; }
      item.key = key;
      return item;
    }).filter(Boolean);
  };

  Line.prototype.write = function (what) {
    var item = { id: freshId(), at: new Date().toISOString(), shown: what.shown };
    if (what.payload) item.payload = what.payload; else item.text = what.shown;
    this.count += 1;
    item.key = QUEUE + String(Date.now()).padStart(15, "0") + "." + String(this.count).padStart(5, "0") + "." + item.id;
    this.shelf.set(item.key, JSON.stringify(item));
    return item;
  };

  Line.prototype.drop = function (item) {
    if (item.key) this.shelf.remove(item.key);
    else this.files = this.files.filter(function (each) { return each !== item; });
  };

  /* Send what is queued, in order, one at a time, until it is empty or the desk says no. */
  Line.prototype.flush = async function () {
    if (this.sending) { this.again = true; return; }
    this.sending = true;
    try {
      for (;;) {
        this.again = false;
        var item = this.queued().filter(function (each) { return !each.refused; })[0];
        if (!item) { if (this.again) continue; return; }
        var wait = await this.deliver(item);
        if (wait) await this.pause(wait);
      }
    } finally {
      this.sending = false;
    }
  };

  /* One message: 0 where it is settled, else the milliseconds to wait before it is tried again. */
  Line.prototype.deliver = async function (item) {
    var answer = null;
    try {
      var session = await this.session();
      answer = session.answer;
      if (session.held) {
        var body = item.payload ? { id: item.id, payload: item.payload } : { id: item.id, text: item.text };
        answer = await this.post("/chat/messages", body, session.held.token);
        if (answer.status === 202) {
          this.tries = 0;
          this.drop(item);
          this.on.state(item, "sent");
          return 0;
        }
        if (answer.status === 401) {
          this.lost(session.held.token);
          this.on.line("ended", answer.body && answer.body.error ? answer.body.error.text : "");
          this.tries += 1;
          return this.tries > 1 ? LONGEST_WAIT : 1;
        }
      }
    } catch (error) {
      answer = null;
    }
    var status = answer ? answer.status : 0;
    var told = answer && answer.body && answer.body.error ? String(answer.body.error.text || "") : "";
    if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
      item.refused = told || " ";
      this.shelf.set(item.key, JSON.stringify(item));
      this.on.state(item, "refused");
      return 0;
    }
    this.tries += 1;
    this.on.state(item, "waiting", told);
    return this.patience(answer, this.tries);
  };

  Line.prototype.patience = function (answer, tries) {
    var backoff = Math.min(LONGEST_WAIT, 1000 * Math.pow(2, Math.min(tries - 1, 5)));
    return answer && answer.wait ? answer.wait * 1000 + Math.random() * 300 : backoff * (0.75 + Math.random() / 2);
  };

  /* Send the files, in order, one at a time. Each keeps its id, so that one whose answer got lost arrives once. */
  Line.prototype.carry = async function () {
    if (this.carrying) return;
    this.carrying = true;
    try {
      for (;;) {
        var item = this.files.filter(function (each) { return !each.refused; })[0];
        if (!item) return;
        var wait = await this.bring(item);
        if (wait) await this.pause(wait);
      }
    } finally {
      this.carrying = false;
    }
  };

  /* One file: as `deliver`. It is read first: a telephone may take it away again while it waits. */
  Line.prototype.bring = async function (item) {
    var answer = null;
    try {
      if (!item.bytes) item.bytes = new Blob([await new Response(item.file).arrayBuffer()], { type: item.file.type });
    } catch (error) {
      return this.turn(item, "", "unreadable");
    }
    item.moved = 0;
    try {
      if (navigator.onLine) {
        this.on.state(item, "sending");
        var session = await this.session();
        answer = session.answer || await this.upload(item, session.held.token);
        if (answer.status === 401 && session.held) {
          this.lost(session.held.token);
          this.on.line("ended", answer.body && answer.body.error ? answer.body.error.text : "");
        }
      }
    } catch (error) { /* the network failed: it waits */ }
    if (this.files.indexOf(item) < 0) return 0; // the stream has told meanwhile that the desk has it
    var status = answer ? answer.status : 0;
    var told = answer && answer.body && answer.body.error ? String(answer.body.error.text || "") : "";
    if (status === 202) { this.drop(item); this.on.state(item, "sent"); return 0; }
    if (status === 413 || status === 422) return this.turn(item, told, status === 413 ? "too_large" : "kind");
    if (answer || item.moved) item.tries += 1;
    if ((status >= 400 && status < 500 && status !== 401 && status !== 429) || item.tries >= UPLOADS) return this.turn(item, told);
    this.on.state(item, "waiting", told);
    return status === 401 && item.tries < 2 ? 1 : this.patience(answer, item.tries || 3);
  };

  /* A file comes to nothing; where `why` is not given it may be sent again. */
  Line.prototype.turn = function (item, told, why) {
    item.refused = told || " ";
    item.why = why;
    this.on.state(item, "refused");
    return 0;
  };

  /* The bytes go, and the page is told how far they are. XMLHttpRequest, since fetch tells nothing. */
  Line.prototype.upload = function (item, token) {
    var line = this, request = new XMLHttpRequest(), body = new FormData(), timer = 0;
    var alive = function () { clearTimeout(timer); timer = setTimeout(function () { request.abort(); }, STALLED); };
    body.append("id", item.id);
    body.append("file", item.bytes, item.file.name);
    return new Promise(function (done, failed) {
      request.open("POST", BASE + "/chat/files");
      request.setRequestHeader("Authorization", "Bearer " + token);
      request.setRequestHeader("Accept-Language", line.lang);
      request.upload.onprogress = function (event) {
        alive();
        item.moved = event.loaded / event.total;
        if (line.files.indexOf(item) >= 0) line.on.state(item, "moving"); // the stream may tell sooner that it is there
      };
      request.onloadend = function () {
        clearTimeout(timer);
        if (!request.status) { failed(); return; }
        var found = null;
        try { found = JSON.parse(request.responseText); } catch (error) { found = null; }
        done({ status: request.status, body: found, wait: Number(request.getResponseHeader("Retry-After")) || 0 });
      };
      alive();
      request.send(body);
    });
  };

  Line.prototype.pause = function (ms) {
    var wakes = this.wakes;
    return Promise.race([later(ms), new Promise(function (go) { wakes.push(go); })]);
  };

  /* The network is back, or the page was woken: don't wait any longer. */
  Line.prototype.hurry = function () {
    this.wakes.splice(0).forEach(function (go) { go(); });
    if (this.rouse) this.rouse();
    if (this.abort && Date.now() - this.heard > SILENCE / 2) this.abort.abort();
    this.flush();
    this.listen();
  };

  Line.prototype.stop = function () {
    this.run += 1;
    this.listening = false;
    if (this.abort) this.abort.abort();
  };

  /* Follow the chat from the last id on, for as long as there is a session. */
  Line.prototype.listen = async function () {
    if (this.listening || !this.held()) return;
    this.listening = true;
    var run = ++this.run;
    var failures = 0;
    while (run === this.run) {
      var held = this.held();
      if (!held) break;
      var wait = 0;
      try {
        wait = await this.follow(held, run, function () { failures = 0; });
      } catch (error) { /* the line is dead: below */ }
      if (run !== this.run) return;
      if (wait < 0) break;
      failures += 1;
      if (failures > 1 || !navigator.onLine) { this.down = true; this.on.line("down"); }
      var backoff = Math.min(LONGEST_WAIT, 500 * Math.pow(2, Math.min(failures, 6))) * (0.75 + Math.random() / 2);
      var line = this;
      await Promise.race([later(wait ? wait * 1000 : backoff), new Promise(function (go) { line.rouse = go; })]);
    }
    if (run === this.run) this.listening = false;
  };

  /* One stream until it ends: the seconds the desk asked to wait, -1 where it doesn't want us. */
  Line.prototype.follow = async function (held, run, alive) {
    var line = this;
    this.abort = window.AbortController ? new AbortController() : null;
    this.heard = Date.now();
    var headers = { Authorization: "Bearer " + held.token, Accept: "text/event-stream", "Accept-Language": this.lang };
    if (this.last) headers["Last-Event-ID"] = this.last;
    var answer = await fetch(BASE + "/chat/events", {
      headers: headers, credentials: "omit", cache: "no-store", signal: this.abort ? this.abort.signal : undefined,
    });
    if (answer.status === 401) { this.lost(held.token); this.on.line("ended", ""); return -1; }
    if (answer.status === 403) { this.on.line("refused", ""); return -1; }
    if (!answer.ok || !answer.body) return Number(answer.headers.get("Retry-After")) || 0;
    if (run !== this.run) return 0;
    var reader = answer.body.getReader();
    var decoder = new TextDecoder("utf-8");
    var rest = "";
    this.on.line("up");
    for (;;) {
      var part = await reader.read();
      if (run !== line.run) { reader.cancel(); return 0; }
      if (part.done) return 0;
      line.heard = Date.now();
      if (line.down) { line.down = false; line.on.line("up"); }
      alive();
      rest += decoder.decode(part.value, { stream: true });
      var blocks = rest.replace(/\r\n?/g, "\n").split("\n\n");
      rest = blocks.pop();
      blocks.forEach(function (block) { line.block(block); });
    }
  };

  Line.prototype.block = function (block) {
    var data = [], id = null;
    block.split("\n").forEach(function (row) {
      if (row.indexOf("data:") === 0) data.push(row.slice(5).replace(/^ /, ""));
      else if (row.indexOf("id:") === 0) id = row.slice(3).trim();
    });
    if (!data.length) return;
    var event = null;
    try { event = JSON.parse(data.join("\n")); } catch (error) { return; }
    if (id) this.last = id;
    this.on.event(event);
  };

  /* Called now and then: a stream that has been silent for too long (a laptop that slept) is opened anew. */
  Line.prototype.check = function () {
    if (this.listening && this.abort && Date.now() - this.heard > SILENCE) { this.heard = Date.now(); this.abort.abort(); }
  };

  // ---- the element

  class SawtChat extends HTMLElement {
    connectedCallback() {
      if (this.shelf) return;
      this.shelf = new Shelf();
      this.inline = this.hasAttribute("inline");
      this.lang_ = this.language();
      this.attachShadow({ mode: "open" });
      this.line = new Line(this.shelf, this.lang_, {
        event: this.arrived.bind(this),
        state: this.settled.bind(this),
        line: this.lineChanged.bind(this),
        session: this.forget.bind(this),
      });
      this.build();
      this.begin();
      window.addEventListener("online", () => { this.lineChanged("up"); this.line.hurry(); });
      window.addEventListener("offline", () => this.lineChanged("down"));
      window.addEventListener("pageshow", () => this.line.hurry());
      document.addEventListener("visibilitychange", () => { if (!document.hidden) this.line.hurry(); });
      window.addEventListener("storage", (change) => this.otherTab(change));
      setInterval(() => this.line.check(), 5000);
      if (this.inline) this.watchLinks();
      else document.addEventListener("focusin", () => this.giveWay());
    }

    language() {
      var asked = this.inline ? this.getAttribute("lang") : this.shelf.get("sawt.ui") || this.getAttribute("lang");
      var near = (asked || document.documentElement.lang || "ar").toLowerCase().slice(0, 2);
      return GIVEN.words[near] ? near : "ar";
    }

    say(name) { return GIVEN.words[this.lang_][name] || ""; }

    // -- what is on the page

    build() {
      var root = this.shadowRoot;
      while (root.firstChild) root.removeChild(root.firstChild);
      this.seen = {};
      this.bubbles = {};
      this.day = "";
      this.live = null;
      this.unread = 0;
      var dir = this.lang_ === "ar" ? "rtl" : "ltr";
      var sheet = make("link", { rel: "stylesheet", href: BASE + "/chat/chat.css?v=" + GIVEN.styles });
      this.box = make("div", { class: "box " + (this.inline ? "inline" : "floating"), lang: this.lang_, dir: dir, hidden: "" });
      var show = () => { this.box.removeAttribute("hidden"); this.grow(); this.toEnd(); };
      sheet.addEventListener("load", show);
      sheet.addEventListener("error", show);
      root.appendChild(sheet);
      root.appendChild(this.box);

      this.history = make("div", { class: "history" });
      this.pending = make("div", { class: "pending" });
      this.log = make("div", { class: "log", role: "log", "aria-label": this.say("log"), "aria-live": "polite",
        "aria-relevant": "additions", tabindex: "0" }, this.greeting(), this.history, this.pending);
      this.typing = make("div", { class: "typing", hidden: "", "aria-hidden": "true" },
        make("span", { class: "dot" }), make("span", { class: "dot" }), make("span", { class: "dot" }),
        make("span", { class: "typing-text", text: this.say("typing") }));
      this.log.appendChild(this.typing);
      this.log.addEventListener("scroll", () => { if (this.atEnd()) this.jump.hidden = true; });
      this.status = make("p", { class: "status", hidden: "" });
      this.jump = make("button", { type: "button", class: "jump", hidden: "", text: this.say("jump") });
      this.jump.addEventListener("click", () => { this.log.focus(); this.jump.hidden = true; this.toEnd(); });
      this.announcers = [0, 1].map(() => make("div", { class: "sr", role: "status", "aria-live": "polite" }));
      this.announced = 0;

      var panel = make("section", { class: "panel", "aria-label": this.say("product") });
      if (!this.inline) panel.appendChild(this.bar());
      [this.status, this.log, this.jump, this.composer(), this.announcers[0], this.announcers[1]]
        .forEach((each) => panel.appendChild(each));
      this.panel = panel;
      this.accept(panel);
      this.box.appendChild(panel);
      if (!this.inline) this.launcher();
      if (this.shelf.blocked) this.tell("storage", this.say("storage"), true);
    }

    greeting() {
      var bubble = make("div", { class: "msg them" }, make("span", { class: "sr", text: this.say("bot_says") }),
        make("div", { class: "text", dir: "auto", text: this.say("greeting") }));
      this.starters = make("div", { class: "buttons starters", role: "group", "aria-label": this.say("starters") });
      ["starter_1", "starter_2", "starter_3", "starter_4"].forEach((name) => {
        var button = make("button", { type: "button", text: this.say(name) });
        button.addEventListener("click", () => this.send(this.say(name)));
        this.starters.appendChild(button);
      });
      if (this.line && this.line.held()) this.starters.hidden = true;
      return make("div", { class: "greeting" }, bubble, this.starters);
    }

    composer() {
      this.text = make("textarea", { id: "text", rows: "1", dir: "auto", enterkeyhint: "send", autocomplete: "off",
        "aria-describedby": "hint count", placeholder: this.say("placeholder") });
      this.counter = make("p", { id: "count", class: "count", hidden: "" });
      var picker = make("input", { type: "file", id: "file", class: "sr", tabindex: "-1", "aria-hidden": "true", multiple: "",
        accept: "image/jpeg,image/png,image/webp,image/gif,audio/*,video/mp4,video/quicktime,video/3gpp,video/webm,.pdf,.doc,.docx,.xls,.xlsx,.pptx,.txt" });
      this.clip = make("button", { type: "button", class: "attach", "aria-label": this.say("attach"), title: this.say("attach") },
        drawn("M20 11.5l-8.1 8.1a5.2 5.2 0 0 1-7.4-7.4l8.3-8.3a3.5 3.5 0 0 1 5 5l-8.1 8a1.7 1.7 0 0 1-2.5-2.4l7.3-7.3"));
      this.clip.addEventListener("click", () => picker.click());
      picker.addEventListener("change", () => {
        this.take(picker.files);
        picker.value = ""; // or the same file could not be chosen again
      });
      var button = make("button", { type: "submit", class: "send" },
        make("span", { class: "send-mark", "aria-hidden": "true" }), make("span", { class: "send-text", text: this.say("send") }));
      var form = make("form", { class: "composer" },
        make("label", { for: "text", class: "sr", text: this.say("label") }), picker, this.clip, this.text, button, this.counter,
        make("p", { id: "hint", class: "hint", text: this.say("hint") }));
      form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
      this.text.addEventListener("input", () => { this.shelf.set("sawt.draft", this.text.value); this.grow(); });
      this.text.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
        event.preventDefault();
        this.submit();
      });
      this.text.value = this.shelf.get("sawt.draft") || "";
      setTimeout(() => this.grow(), 0);
      return form;
    }

    bar() {
      var close = make("button", { type: "button", class: "close", "aria-label": this.say("close") },
        make("span", { "aria-hidden": "true", text: "×" }));
      close.addEventListener("click", () => this.open(false));
      var group = make("div", { class: "languages", role: "group", "aria-label": this.say("languages") });
      LANGUAGES.forEach((pair) => {
        var button = make("button", { type: "button", lang: pair[0], text: pair[1], "data-lang": pair[0],
          "aria-pressed": String(pair[0] === this.lang_) });
        button.addEventListener("click", () => this.speak(pair[0]));
        group.appendChild(button);
      });
      var privacy = make("a", { href: BASE + "/privacy" + (this.lang_ === "ar" ? "" : "?lang=" + this.lang_),
        target: "_blank", rel: "noopener", text: this.say("link_privacy") });
      return make("div", { class: "bar" },
        make("div", { class: "bar-top" }, make("h2", { text: this.say("product") }), close),
        make("p", { class: "bar-who" }, make("span", { text: this.say("bar") + " " }), privacy), group);
    }

    launcher() {
      this.panel.id = "panel";
      this.panel.setAttribute("role", "dialog");
      this.panel.hidden = true;
      this.button = make("button", { type: "button", class: "launcher", "aria-expanded": "false", "aria-controls": "panel" },
        make("span", { class: "launcher-mark", "aria-hidden": "true" }), make("span", { class: "launcher-text", text: this.say("open") }));
      this.badge = make("span", { class: "badge", hidden: "" }, make("span"), make("span", { class: "sr", text: " " + this.say("unread") }));
      this.button.appendChild(this.badge);
      this.button.addEventListener("click", () => this.open(this.panel.hidden));
      this.box.insertBefore(this.button, this.panel);
      this.panel.addEventListener("keydown", (event) => { if (event.key === "Escape") this.open(false); });
    }

    open(yes) {
      this.panel.hidden = !yes;
      this.button.setAttribute("aria-expanded", String(yes));
      this.box.classList.toggle("opened", yes);
      if (yes) { this.unread = 0; this.count(); this.toEnd(); this.grow(); this.text.focus(); } else this.button.focus();
    }

    count() {
      this.badge.hidden = !this.unread;
      this.badge.firstChild.textContent = String(this.unread);
    }

    /* What has the focus on the page around us must not lie under the launcher (WCAG 2.4.11). */
    giveWay() {
      var focused = document.activeElement;
      if (!this.button || focused === this || !focused || focused === document.body) return;
      this.box.classList.remove("aside");
      var a = focused.getBoundingClientRect(), b = this.button.getBoundingClientRect();
      var apart = a.right < b.left || a.left > b.right || a.bottom < b.top || a.top > b.bottom;
      this.box.classList.toggle("aside", !apart);
    }

    // -- languages

    watchLinks() {
      document.querySelectorAll("[data-sawt-lang]").forEach((link) => {
        link.addEventListener("click", () => {
          if (link.getAttribute("data-sawt-lang") !== this.lang_) this.shelf.set("sawt.wish", link.getAttribute("data-sawt-lang"));
        });
      });
    }

    speak(lang) {
      if (lang === this.lang_) return;
      this.shelf.set("sawt.wish", lang);
      this.shelf.set("sawt.ui", lang);
      this.lang_ = this.line.lang = lang;
      this.line.stop();
      this.line.last = "";
      this.build();
      this.open(true);
      this.begin();
      this.shadowRoot.querySelector('[data-lang="' + lang + '"]').focus();
    }

    // -- beginning, and other tabs

    begin() {
      this.line.queued().forEach((item) => { this.pend(item); if (item.refused) this.settled(item, "refused"); });
      if (this.line.held()) this.quiet();
      this.line.files.forEach((item) => { this.pend(item); if (item.refused) this.settled(item, "refused"); });
      this.line.renew().then(() => { this.line.listen(); this.line.flush(); });
      this.toEnd();
    }

    /* History is shown, not read aloud: the log is live again when nothing has come for a moment. */
    quiet() {
      this.log.setAttribute("aria-live", "off");
      this.hushed = true;
      clearTimeout(this.hush);
      this.hush = setTimeout(() => {
        this.hushed = false;
        this.log.setAttribute("aria-live", "polite");
      }, 1200);
    }

    forget() {
      Object.keys(this.bubbles).forEach((id) => { if (this.bubbles[id].parentNode === this.history) delete this.bubbles[id]; });
      this.seen = {};
    }

    otherTab(change) {
      if (change.key === "sawt.chat") {
        var before = null, now = null;
        try { before = JSON.parse(change.oldValue); now = JSON.parse(change.newValue); } catch (error) { return; }
        if (before && now && before.chat === now.chat) return;
        this.line.stop();
        this.line.last = "";
        this.forget();
        if (now) this.line.listen();
      } else if (change.key && change.key.indexOf(QUEUE) === 0 && !change.newValue) {
        var id = change.key.split(".").pop();
        if (this.bubbles[id]) this.settled({ id: id }, "sent");
      }
    }

    // -- writing

    submit() {
      var shown = this.text.value.trim();
      if (!shown) { this.text.focus(); return; }
      if (this.tooLong(shown)) { this.announce(this.say("too_long")); this.text.focus(); return; }
      this.text.value = "";
      this.shelf.remove("sawt.draft");
      this.grow();
      this.send(shown);
      this.text.focus();
    }

    // -- files: they go by themselves, apart from what is in the box

    take(files) {
      Array.from(files).forEach((file) => {
        var item = { id: freshId(), at: new Date().toISOString(), shown: "📎\u00a0" + file.name, file: file, tries: 0, moved: 0 };
        this.line.files.push(item);
        this.pend(item);
        if (file.size > LARGEST) this.line.turn(item, "", "too_large");
      });
      this.toEnd();
      this.line.carry();
    }

    /* What is dropped on the panel, or pasted in it. An office program puts a picture of the words beside them: not that. */
    accept(panel) {
      var has = (data, type) => Boolean(data) && Array.prototype.indexOf.call(data.types, type) >= 0;
      panel.addEventListener("dragover", (event) => {
        if (!has(event.dataTransfer, "Files")) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = "copy";
        panel.classList.add("dropping");
      });
      panel.addEventListener("dragleave", (event) => {
        if (!panel.contains(event.relatedTarget)) panel.classList.remove("dropping");
      });
      panel.addEventListener("drop", (event) => {
        panel.classList.remove("dropping");
        if (!has(event.dataTransfer, "Files")) return;
        event.preventDefault();
        this.take(event.dataTransfer.files);
      });
      panel.addEventListener("paste", (event) => {
        var data = event.clipboardData;
        if (!has(data, "Files") || (has(data, "text/plain") && has(data, "text/html"))) return;
        event.preventDefault();
        this.take(data.files);
      });
    }

    /* How a file is getting on: the button shows it, it is said once for all that go together, and the page asks before
       it is left. */
    carried(item, state) {
      var left = this.line.files.some((each) => !each.refused);
      this.clip.setAttribute("aria-busy", String(state === "sending" || state === "moving"));
      if (state === "sending" && !this.going) { this.going = true; this.announce(this.say("file_sending")); }
      if (left) this.leaving = this.leaving || ((event) => { event.preventDefault(); event.returnValue = ""; });
      window[left ? "addEventListener" : "removeEventListener"]("beforeunload", this.leaving);
      if (left) return;
      this.going = false;
      if (state === "sent") this.announce(this.say("sent"));
    }

    tooLong(text) { return Array.from(text).length > GIVEN.characters; }

    send(shown, payload) {
      var item = this.line.write({ shown: shown, payload: payload });
      this.pend(item);
      this.toEnd();
      if (!navigator.onLine) this.settled(item, "waiting");
      this.line.flush();
    }

    grow() {
      var area = this.text;
      area.dir = area.value ? "auto" : this.box.dir; // an empty box with dir=auto would turn its placeholder round
      area.style.height = "auto";
      if (area.scrollHeight) area.style.height = area.scrollHeight + 2 + "px";
      var length = Array.from(area.value).length;
      this.counter.hidden = length < GIVEN.characters * 0.9;
      this.counter.classList.toggle("over", length > GIVEN.characters);
      this.counter.textContent = this.counter.hidden ? "" :
        length > GIVEN.characters ? this.say("too_long") : this.say("left").replace("{count}", String(GIVEN.characters - length));
    }

    // -- bubbles

    bubble(side, text, at) {
      var content = make("div", { class: "text", dir: "auto", lang: languageOf(text, this.lang_) });
      this.fill(content, text, side === "them");
      var time = at ? this.time(at) : null;
      var state = make("span", { class: "state" });
      var node = make("div", { class: "msg " + side },
        make("span", { class: "sr", text: this.say(side === "them" ? "bot_says" : "you_said") }), content,
        make("div", { class: "meta" }, time, side === "me" ? state : null));
      if (side === "me") node.setAttribute("aria-live", "off");
      node.state = state;
      return node;
    }

    /* Text as text; addresses of web pages as links, where the desk wrote them. */
    fill(node, text, links) {
      if (!links) { node.textContent = text; return; }
      text.split(/(https?:\/\/[^\s<>"'\u2066-\u2069]*[^\s<>"'\u2066-\u2069.,;:!?)\]،؛؟。，])/).forEach(function (part, i) {
        if (i % 2) node.appendChild(make("a", { href: part, target: "_blank", rel: "noopener noreferrer", dir: "ltr", text: part }));
        else if (part) node.appendChild(document.createTextNode(part));
      });
    }

    time(at) {
      var when = new Date(at);
      if (isNaN(when)) return null;
      var shown = "";
      try { shown = when.toLocaleTimeString(this.locale(), { hour: "numeric", minute: "2-digit" }); }
      catch (error) { shown = when.toTimeString().slice(0, 5); }
      return make("time", { datetime: when.toISOString(), text: shown });
    }

    locale() { return { ar: "ar-SA-u-ca-gregory-nu-latn", en: "en-GB", zh: "zh-CN" }[this.lang_]; }

    dated(at) {
      var when = new Date(at);
      if (isNaN(when)) return;
      var key = when.toDateString();
      if (key === this.day) return;
      this.day = key;
      var today = new Date();
      var yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
      var shown = key === today.toDateString() ? this.say("today") : key === yesterday.toDateString() ? this.say("yesterday") : "";
      if (!shown) {
        try { shown = when.toLocaleDateString(this.locale(), { weekday: "long", day: "numeric", month: "long", year: "numeric" }); }
        catch (error) { shown = when.toISOString().slice(0, 10); }
      }
      this.history.appendChild(make("div", { class: "day", "aria-live": "off" }, make("span", { text: shown })));
    }

    pend(item) {
      if (this.bubbles[item.id]) return;
      var node = this.bubble("me", item.shown || item.text || "", item.at);
      this.bubbles[item.id] = node;
      node.item = item;
      this.mark(node, "sending");
      this.begun();
      this.pending.appendChild(node);
    }

    /* The conversation has begun: the first suggestions go, and the focus does not fall off the page with them. */
    begun() {
      if (this.starters.hidden) return;
      if (this.starters.contains(this.shadowRoot.activeElement)) this.log.focus();
      this.starters.hidden = true;
    }

    mark(node, state) {
      node.classList.remove("sending", "waiting", "refused", "sent");
      node.classList.add(state);
      node.state.textContent = state === "refused" ? "" : this.say(state);
    }

    /* A message of the person has come to an end, or waits. */
    settled(item, state, told) {
      var node = this.bubbles[item.id];
      if (!node) return;
      if (item.file) this.carried(item, state);
      if (state === "sending") {
        this.mark(node, "sending");
        this.waitingOver();
      } else if (state === "moving") {
        node.state.textContent = this.say("sending") + (item.moved < 1 ? " " + Math.floor(item.moved * 100) + "%" : "");
      } else if (state === "sent") {
        if (node.parentNode === this.pending) {
          this.dated(new Date().toISOString());
          this.history.appendChild(node);
        }
        var tools = node.querySelector(".refusal");
        if (tools) node.removeChild(tools);
        this.mark(node, "sent");
        this.waitingOver();
      } else if (state === "waiting") {
        this.mark(node, "waiting");
        this.tell("waiting", told || this.say(item.file ? "offline" : "kept"));
      } else if (state === "refused" && !node.querySelector(".refusal")) {
        this.mark(node, "refused");
        this.refusal(node, node.item || item, item.refused);
      }
    }

    waitingOver() { if (!this.pending.querySelector(".waiting")) this.tell("waiting", ""); }

    refusal(node, item, told) {
      var reason = told && told.trim() ? told : item.why === "too_large" ? this.say("error_file_too_large") :
        item.why === "unreadable" ? this.say("error_file_unreadable") : this.say("refused");
      var edit = make("button", { type: "button", text: this.say("edit") });
      var discard = make("button", { type: "button", text: this.say("discard") });
      var again = make("button", { type: "button", text: this.say("send") });
      var gone = () => { this.line.drop(item); this.pending.removeChild(node); delete this.bubbles[item.id]; this.waitingOver(); };
      edit.addEventListener("click", () => {
        this.text.value = this.text.value.trim() ? item.shown + "\n" + this.text.value : item.shown;
        this.shelf.set("sawt.draft", this.text.value);
        gone();
        this.grow();
        this.text.focus();
      });
      again.addEventListener("click", () => {
        node.removeChild(box);
        item.refused = "";
        item.tries = 0;
        this.mark(node, "sending");
        this.clip.focus();
        this.line.carry();
      });
      discard.addEventListener("click", () => { gone(); (item.file ? this.clip : this.text).focus(); });
      var box = make("div", { class: "refusal" }, make("p", { text: reason, dir: "auto" }),
        item.file ? item.why ? null : again : item.payload ? null : edit, discard);
      node.appendChild(box);
      this.waitingOver();
      this.announce(item.file ? item.file.name + ": " + reason : reason);
      this.toEnd();
    }

    // -- what comes from the desk

    arrived(event) {
      if (!event || typeof event !== "object") return;
      if (this.hushed) this.quiet();
      if (event.kind === "typing") { this.writing(event.on !== false); return; }
      if (event.kind === "own") { this.own(event); return; }
      var text = typeof event.text === "string" ? event.text : "";
      if ((event.kind !== "message" && event.kind !== "status") || this.seen[event.id]) return;
      this.seen[event.id] = true;
      this.writing(false);
      this.begun();
      var stay = !this.hushed && !this.atEnd();
      this.dated(event.at);
      if (event.kind === "status") {
        this.notice(text);
      } else {
        var node = this.bubble("them", text, event.at);
        this.offer(node, Array.isArray(event.buttons) ? event.buttons : []);
        this.history.appendChild(node);
        if (!this.hushed && this.panel.hidden) { this.unread += 1; this.count(); this.announce(this.say("new") + " " + text); }
        if (stay) this.jump.hidden = false; else this.toMessage(node);
      }
    }

    own(event) {
      var id = typeof event.message === "string" ? event.message : event.id;
      if (this.bubbles[id]) {
        var sent = this.line.queued().concat(this.line.files).filter((item) => item.id === id)[0];
        if (sent) this.line.drop(sent);
        this.settled(sent || { id: id }, "sent");
        if (this.bubbles[id].item && this.bubbles[id].item.file && event.text) this.fill(this.bubbles[id].querySelector(".text"), event.text);
        return;
      }
      if (this.seen["own " + id]) return;
      this.seen["own " + id] = true;
      if (typeof event.text !== "string" || !event.text) return;
      this.begun();
      var stay = !this.hushed && !this.atEnd();
      this.dated(event.at);
      var node = this.bubble("me", event.text, event.at);
      this.bubbles[id] = node;
      this.mark(node, "sent");
      this.history.appendChild(node);
      this.pressed(event.text);
      if (!stay) this.toEnd();
    }

    writing(on) {
      clearTimeout(this.still);
      var stay = !this.atEnd();
      this.typing.hidden = !on;
      if (on) this.still = setTimeout(() => this.writing(false), 30000);
      if (on && !stay) this.toEnd();
    }

    /* The choices of a message, numbered, so that typing 1 is as good. Only the newest ones can be pressed. */
    offer(node, buttons) {
      var shown = buttons.filter((each) => each && typeof each.title === "string" && typeof each.payload === "string");
      if (!shown.length) return;
      this.retire();
      var group = make("div", { class: "buttons", role: "group", "aria-label": this.say("choices") });
      shown.forEach((each, i) => {
        var button = make("button", { type: "button" },
          make("span", { class: "number", text: String(i + 1) + "." }), make("bdi", { class: "title", text: each.title }));
        button.addEventListener("click", () => {
          if (button.getAttribute("aria-disabled") === "true") return;
          this.retire(button);
          this.send(each.title, each.payload);
        });
        group.appendChild(button);
      });
      node.insertBefore(group, node.lastChild);
      this.live = group;
    }

    retire(chosen) {
      if (!this.live) return;
      Array.prototype.forEach.call(this.live.children, (button) => {
        button.setAttribute("aria-disabled", "true");
        if (button === chosen) button.classList.add("chosen");
      });
      this.live.classList.add("past");
      this.live = null;
    }

    pressed(title) {
      if (!this.live) return;
      var chosen = Array.prototype.filter.call(this.live.children, (button) => button.lastChild.textContent === title)[0];
      if (chosen) this.retire(chosen);
    }

    // -- telling

    notice(text) {
      this.history.appendChild(make("div", { class: "notice", dir: "auto", text: text }));
      if (!this.hushed) this.toEnd();
    }

    lineChanged(state, told) {
      if (state === "up") this.tell("line", "");
      else if (state === "down") { this.writing(false); this.tell("line", this.say("offline")); }
      else if (state === "ended") this.notice(told || this.say("ended"));
      else if (state === "refused") this.tell("line", this.say("not_here"));
    }

    /* One visible line about the chat itself; the most important of what is to be told. */
    tell(about, text) {
      this.telling = this.telling || {};
      if ((this.telling[about] || "") === text) return;
      this.telling[about] = text;
      var shown = this.telling.line || this.telling.waiting || this.telling.storage || "";
      var changed = this.status.textContent !== shown;
      this.status.textContent = shown;
      this.status.hidden = !shown;
      if (changed && shown) this.announce(shown);
      if (changed && !shown && about === "line") this.announce(this.say("online"));
    }

    /* Read once, even where the same was read before: two regions in turn, and an invisible ending that differs
       (the technique of Bürokratt's chat widget). */
    announce(text) {
      var use = this.announcers[this.announced % 2], other = this.announcers[(this.announced + 1) % 2];
      this.announced += 1;
      other.textContent = "";
      use.textContent = text + "\u200b".repeat(this.announced % 3 + 1);
    }

    atEnd() { return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 90; }
    toEnd() { if (this.history.firstChild || this.pending.firstChild) this.log.scrollTop = this.log.scrollHeight; }
    toMessage(node) {
      this.log.scrollTop = node.offsetTop - 12; // its beginning, where it is longer than the window; else all of it
    }
  }

  customElements.define("sawt-chat", SawtChat);

  function launch() {
    if (document.querySelector("sawt-chat") || (SCRIPT && SCRIPT.hasAttribute("data-manual"))) return;
    var chat = document.createElement("sawt-chat");
    var lang = SCRIPT && SCRIPT.getAttribute("data-lang");
    if (lang) chat.setAttribute("lang", lang);
    document.body.appendChild(chat);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", launch);
  else launch();
})();
